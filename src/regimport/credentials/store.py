"""Keeps credentials as `docker login` does, and takes them away as `docker logout` does."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from regimport.credentials.dockerconfig import DockerConfig, canonical_key, config_path, read_text
from regimport.credentials.helper import BrokenHelper, Helper
from regimport.credentials.hosts import server_address
from regimport.errors import InvalidConfig, RegimportError
from regimport.interrupts import INTERRUPTS
from regimport.models.credential import Credential
from regimport.network import host_name

__all__ = ["Store"]


class Store:
    """The file that a login is kept in: the one that was named, or Docker's config.json.

    Raises `InvalidConfig` if there is no such place, or if what stands there cannot be read.
    """

    def __init__(self, authfile: str | None, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        named = authfile or self._environ.get("REGISTRY_AUTH_FILE")
        path = Path(named) if named else config_path(self._environ)
        if path is None:
            raise InvalidConfig(
                "there is no place to keep credentials in: HOME is not set",
                hint="set HOME or DOCKER_CONFIG, or give --authfile FILE",
            )
        self._path = path
        self._read()

    def save(self, registry: str, credential: Credential) -> str:
        """Keep a user name and a password, and say where: the helper's name, or the file's.

        Raises `RegimportError` where the helper or the file does not take them.
        """
        document, config = self._read()
        helper = self._helper(config, registry)
        entry: dict[str, object] = {}
        if helper is None:
            pair = f"{credential.username}:{credential.password}".encode()
            entry["auth"] = base64.b64encode(pair).decode("ascii")
        else:
            with _told("keep the credentials"):
                helper.store(registry, credential)
        auths = document.get("auths")
        # Where a helper keeps the secret, Docker notes an empty entry.
        document["auths"] = (auths if isinstance(auths, dict) else {}) | {
            server_address(registry): entry
        }
        self._replace(document)
        return str(self._path) if helper is None else helper.program

    def erase(self, registry: str) -> bool:
        """Forget a registry, however it is spelled; tell whether it was known.

        Entries for single repositories stay. Raises `RegimportError` where the helper or the file
        does not let go.
        """
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
        config = DockerConfig.parse(text, str(self._path))
        return (json.loads(text) if text.strip() else {}), config

    def _replace(self, document: Mapping[str, object]) -> None:
        """Write the file, to its end: one that is cut off would leave secrets beside it."""
        with INTERRUPTS.working(lambda: None):
            self._write(document)

    def _write(self, document: Mapping[str, object]) -> None:
        """Put the whole file in the place of the old one, for its owner alone to read."""
        # A link, as some keep among their dotfiles, stays one.
        path = self._path.resolve()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(json.dumps(document, indent="\t", ensure_ascii=False) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(path)
            except BaseException:
                with suppress(OSError):
                    Path(name).unlink()
                raise
        except OSError as error:
            raise RegimportError(
                f"{path} cannot be written: {error.strerror}",
                hint="check who may write there, or give --authfile FILE",
            ) from error


def _erase(helper: Helper, host: str) -> bool:
    """Let a helper forget every spelling of a host; tell whether it knew one."""
    known: list[str] = []
    # Not every helper can tell what it knows.
    with suppress(BrokenHelper):
        known = [address for address in helper.servers() if canonical_key(address) == host]
    with _told("forget the credentials"):
        for address in known or [server_address(host)]:
            helper.erase(address)
    return bool(known)


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except BrokenHelper as error:
        raise RegimportError(
            f"the credential helper did not {what}: {error}",
            hint="mend the helper, or take it out of the file that names it",
        ) from None
