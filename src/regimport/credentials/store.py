"""Store credentials as `docker login` does, and remove them as `docker logout` does."""

from __future__ import annotations

import base64
import errno
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from regimport.credentials.dockerconfig import DockerConfig, canonical_key, config_path, read_text
from regimport.credentials.helper import BrokenHelper, Helper
from regimport.credentials.hosts import server_address
from regimport.errors import InvalidConfig, RegimportError
from regimport.interrupts import INTERRUPTS
from regimport.models.credential import Credential
from regimport.network import host_name
from regimport.redact import reason_of

__all__ = ["Store"]

# Why a file cannot be replaced by another, although it may be writable.
_IRREPLACEABLE = frozenset({errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS})


class Store:
    """The file in which a login is stored: the one that was named, or Docker's config.json.

    Raise `InvalidConfig` if there is no place for it, or if the file cannot be read.
    """

    def __init__(self, authfile: str | None, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        named = authfile or self._environ.get("REGISTRY_AUTH_FILE")
        path = Path(named) if named else config_path(self._environ)
        if path is None:
            raise InvalidConfig(
                "there is no place to store credentials: HOME is not set",
                hint="set HOME or DOCKER_CONFIG, or give `authfile`",
            )
        self._path = path
        self._read()

    def save(self, registry: str, credential: Credential) -> str:
        """Store a user name and a password, and return where: the helper's name, or the file's.

        Raise `RegimportError` if the helper fails, or if the file cannot be written.
        """
        with suppress(OSError):
            # The writing would tell of that; the lock is on this folder.
            Path(os.path.realpath(self._path)).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            return self._save(registry, credential)

    def _save(self, registry: str, credential: Credential) -> str:
        document, config = self._read()
        before = dict(document)
        helper = self._helper(config, registry)
        entry: dict[str, object] = {}
        if helper is None:
            pair = f"{credential.username}:{credential.password}".encode()
            entry["auth"] = base64.b64encode(pair).decode("ascii")
        else:
            with _explained("store the credentials"):
                helper.store(registry, credential)
        auths = document.get("auths")
        # If a helper stores the secret, Docker writes an empty entry.
        document["auths"] = (auths if isinstance(auths, dict) else {}) | {
            server_address(registry): entry
        }
        if document != before:
            self._write(document)
        return str(self._path) if helper is None else helper.program

    def erase(self, registry: str) -> bool:
        """Remove a registry in all its spellings; return whether it was there.

        Entries for single repositories stay. Raise `RegimportError` if the helper fails, or if the
        file cannot be written.
        """
        with self._locked():
            return self._forget(registry)

    def _forget(self, registry: str) -> bool:
        document, config = self._read()
        host = host_name(registry)
        helper = self._helper(config, registry)
        known = helper is not None and _erase(helper, host)
        keys = [key for key in config.auths if canonical_key(key) == host]
        auths = document.get("auths")
        if keys and isinstance(auths, dict):
            document["auths"] = {key: entry for key, entry in auths.items() if key not in keys}
            self._replace(document)
        return known or bool(keys)

    def _helper(self, config: DockerConfig, registry: str) -> Helper | None:
        name = config.helper(registry) or config.store
        return None if name is None else Helper(name, self._environ)

    def _read(self) -> tuple[dict[str, object], DockerConfig]:
        text = (read_text(self._path) or ("", False))[0]
        text = text.removeprefix("\ufeff")
        config = DockerConfig.parse(text, str(self._path))
        return (json.loads(text) if text.strip() else {}), config

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other logins from writing between the reading of the file and its writing.

        The lock is on the folder, since the file is replaced. Where a folder cannot be locked, as
        on some network file systems, or cannot be opened, there is none.
        """
        folder = Path(os.path.realpath(self._path)).parent
        with ExitStack() as stack:
            with suppress(OSError):
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                stack.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield

    def _replace(self, document: Mapping[str, object]) -> None:
        """Write the file, to its end: one that is cut off would leave secrets beside it."""
        with INTERRUPTS.working(lambda: None):
            self._write(document)

    def _write(self, document: Mapping[str, object]) -> None:
        """Replace the whole file; only its owner may read it."""
        content = (json.dumps(document, indent="\t", ensure_ascii=False) + "\n").encode()
        try:
            # A symbolic link, which is common for dotfiles, stays one.
            path = Path(os.path.realpath(self._path))
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                _replace(path, content)
            except OSError as error:
                # A file that is mounted into a container, or in a folder of somebody else.
                if error.errno not in _IRREPLACEABLE or not path.is_file():
                    raise
                _overwrite(path, content)
        except OSError as error:
            raise RegimportError(
                f"{self._path} cannot be written: {reason_of(error)}",
                hint="check who may write there, or give `authfile`",
            ) from error


def _replace(path: Path, content: bytes) -> None:
    """Put a file in the place of another, all at once."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _overwrite(path: Path, content: bytes) -> None:
    """Write a file anew in its place; what was in it comes back if that fails."""
    with path.open("r+b", buffering=0) as file:
        # The owner of a mounted file may be somebody else.
        with suppress(OSError):
            os.fchmod(file.fileno(), 0o600)
        before = file.read()
        try:
            _rewrite(file.fileno(), content)
        except BaseException:
            with suppress(OSError):
                _rewrite(file.fileno(), before)
            raise


def _rewrite(file: int, content: bytes) -> None:
    left, at = memoryview(content), 0
    while left:
        written = os.pwrite(file, left, at)
        left, at = left[written:], at + written
    os.ftruncate(file, len(content))
    os.fsync(file)


def _erase(helper: Helper, host: str) -> bool:
    """Remove every spelling of a host from a helper; return whether it knew one."""
    known: list[str] = []
    # Not every helper can list its servers.
    with suppress(BrokenHelper):
        known = [address for address in helper.servers() if canonical_key(address) == host]
    with _explained("remove the credentials"):
        for address in known or [server_address(host)]:
            helper.erase(address)
    return bool(known)


@contextmanager
def _explained(action: str) -> Iterator[None]:
    try:
        yield
    except BrokenHelper as error:
        raise RegimportError(
            f"the credential helper did not {action}: {error}",
            hint="repair the helper, or remove its name from the file",
        ) from None
