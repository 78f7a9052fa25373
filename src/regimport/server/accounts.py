"""User names and passwords of the registry: a file that htpasswd has written, with bcrypt."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import re
import secrets
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from regimport.errors import UsageError
from regimport.installation import install_command
from regimport.redact import reason_of
from regimport.server.answers import Refusal

__all__ = ["Accounts"]

_HASH = re.compile(rb"\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}")
# More than any file of accounts has.
_MAX_FILE_BYTES = 1024 * 1024
# bcrypt looks at no more bytes of a password.
_MAX_PASSWORD_BYTES = 72
# Passwords that wait to be checked. A check takes up to a second of processor time, and they are
# checked one after the other: guesses must not take the processor from those who are logged in.
MAX_WAITING = 32


class Accounts:
    """Checks the passwords of requests; a password that was right once is remembered as a hash.

    Raise `UsageError` for a file that cannot be read, or has anything but bcrypt in it.
    """

    def __init__(self, path: Path) -> None:
        try:
            import bcrypt  # noqa: PLC0415 - only for a registry that has accounts
        except ImportError as error:
            raise UsageError(
                "a file of htpasswd needs the package bcrypt, which is not installed",
                hint=install_command("serve"),
            ) from error
        self._bcrypt = bcrypt
        self._hashes = _read(path)
        # For unknown users: the answer must take as long as for known ones.
        self._decoy = next(iter(self._hashes.values()))
        self._key = secrets.token_bytes(32)
        self._right: dict[bytes, bytes] = {}
        self._checking = asyncio.Lock()
        self._waiting = 0

    async def check(self, header: str | None) -> None:
        """Raise `Refusal` unless an Authorization header has a user's name and password."""
        user, password = _credential(header)
        proof = hmac.digest(self._key, password, "sha256")
        if hmac.compare_digest(self._right.get(user, b""), proof):
            return
        if header is None or not await self._is_right(user, password):
            raise _unauthorized()
        self._right[user] = proof

    async def _is_right(self, user: bytes, password: bytes) -> bool:
        if self._waiting >= MAX_WAITING:
            message = "too many passwords wait to be checked; try again in a few seconds"
            raise Refusal(429, "TOOMANYREQUESTS", message, headers={"Retry-After": "5"})
        self._waiting += 1
        try:
            async with self._checking:
                return await run_in_threadpool(self._fits, user, password)
        finally:
            self._waiting -= 1

    def _fits(self, user: bytes, password: bytes) -> bool:
        known = self._hashes.get(user)
        try:
            fits = self._bcrypt.checkpw(password[:_MAX_PASSWORD_BYTES], known or self._decoy)
        except ValueError:  # a byte that bcrypt does not take
            return False
        return fits and known is not None


def _credential(header: str | None) -> tuple[bytes, bytes]:
    """Return the user name and the password in a header for Basic authentication (RFC 7617)."""
    scheme, _, encoded = (header or "").partition(" ")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    user, separator, password = decoded.partition(b":")
    if header is not None and not (scheme.lower() == "basic" and separator):
        raise _unauthorized()
    return user, password


def _unauthorized() -> Refusal:
    return Refusal(
        401,
        "UNAUTHORIZED",
        "a user name and a password of this registry are needed",
        headers={"WWW-Authenticate": 'Basic realm="regimport", charset="UTF-8"'},
    )


def _read(path: Path) -> dict[bytes, bytes]:
    """Return the hash of each user's password."""
    hint = "write it with `htpasswd -B -c FILE NAME`"
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {reason_of(error)}", hint=hint) from error
    if len(content) > _MAX_FILE_BYTES:
        raise UsageError(f"{path} is larger than {_MAX_FILE_BYTES} bytes", hint=hint)
    hashes = {}
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        user, _, hashed = line.strip().partition(b":")
        if not user or not _HASH.fullmatch(hashed):
            raise UsageError(f"{path}, line {number}: no user name with a bcrypt hash", hint=hint)
        hashes[user] = hashed
    if not hashes:
        raise UsageError(f"{path} has no accounts", hint=hint)
    return hashes
