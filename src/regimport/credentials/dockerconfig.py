"""Docker's config.json: which of its credentials are for a repository."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from regimport.errors import InvalidConfig
from regimport.models.credential import Credential

__all__ = ["DockerConfig", "config_path", "load"]

_MAX_BYTES = 1024 * 1024
_DOCKER_HUB = "docker.io"
_DOCKER_HUB_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """The parts of a config.json that speak of credentials; `where` names the file."""

    where: str
    auths: Mapping[str, Mapping[str, object]]
    helpers: Mapping[str, str]
    store: str | None

    @classmethod
    def parse(cls, text: str, where: str) -> DockerConfig:
        """Read a config.json; raises `InvalidConfig`, which shows nothing of its content."""
        if len(text) > _MAX_BYTES:
            raise InvalidConfig(f"{where} is larger than {_MAX_BYTES} bytes")
        try:
            document = json.loads(text) if text.strip() else {}
        except (ValueError, RecursionError) as error:
            raise InvalidConfig(
                f"{where} is not valid JSON", hint="mend it, or log in again to write it anew"
            ) from error
        if not isinstance(document, dict):
            raise InvalidConfig(f"{where} is not a JSON object")
        helpers = _table(document.get("credHelpers"))
        store = document.get("credsStore")
        return cls(
            where,
            {
                key: entry
                for key, entry in _table(document.get("auths")).items()
                if isinstance(entry, dict)
            },
            {key: name for key, name in helpers.items() if isinstance(name, str) and name},
            store if isinstance(store, str) and store else None,
        )

    def credential(self, registry: str, repository: str) -> Credential | None:
        """Give the credential for a repository: the longest entry that names it or its parent.

        Hosts are compared whole, never in part. Raises `InvalidConfig` for an entry that names
        it and cannot be read.
        """
        entries = {_canonical(key): entry for key, entry in self.auths.items()}
        name = f"{_host(registry)}/{repository}"
        while name:
            entry = entries.get(name)
            if entry is not None:
                return self._read(entry, name)
            name = name.rpartition("/")[0]
        return None

    def helper(self, registry: str) -> str | None:
        """Give the name of the credential helper for a registry; raises `InvalidConfig`."""
        by_host = {_canonical(key): name for key, name in self.helpers.items()}
        name = by_host.get(_host(registry)) or self.store
        if name is not None and not _NAME_CHARACTERS.issuperset(name):
            if registry in self.helpers:
                raise InvalidConfig(f"{self.where} names a credential helper that cannot be one")
            return None
        return name

    def _read(self, entry: Mapping[str, object], name: str) -> Credential | None:
        identity, token = entry.get("identitytoken"), entry.get("registrytoken")
        if isinstance(identity, str) and identity:
            return Credential(identity_token=identity)
        if isinstance(token, str) and token:
            return Credential(registry_token=token)
        auth = entry.get("auth")
        if isinstance(auth, str) and auth:
            return self._decode(auth, name)
        username, password = entry.get("username"), entry.get("password")
        if isinstance(username, str) and isinstance(password, str) and username:
            return Credential(username, password)
        return None

    def _decode(self, auth: str, name: str) -> Credential:
        try:
            pair = base64.b64decode(auth, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise self._unreadable(name) from error
        username, colon, password = pair.partition(":")
        if not colon:
            raise self._unreadable(name)
        return Credential(username, password.rstrip("\x00"))

    def _unreadable(self, name: str) -> InvalidConfig:
        return InvalidConfig(
            f"the entry for {name} in {self.where} cannot be read",
            hint=f"log in again: docker login {name.partition('/')[0]}",
        )


def config_path(environ: Mapping[str, str]) -> Path:
    """Give where Docker keeps its config.json: $DOCKER_CONFIG, or ~/.docker."""
    folder = environ.get("DOCKER_CONFIG")
    return Path(folder) / "config.json" if folder else Path.home() / ".docker" / "config.json"


def load(path: Path) -> DockerConfig | None:
    """Read a config.json, None if there is none; raises `InvalidConfig`."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidConfig(f"{path} cannot be read: {error.strerror}") from error
    try:
        return DockerConfig.parse(raw.decode("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise InvalidConfig(f"{path} is not text in UTF-8") from error


def _table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _canonical(key: str) -> str:
    """Give a key of `auths` as `host[:port][/path]`, without what old Dockers wrote around it."""
    bare = key.partition("://")[2] or key
    host, _, path = bare.rstrip("/").partition("/")
    if path in {"v1", "v2"}:
        path = ""
    return f"{_host(host)}/{path}" if path else _host(host)


def _host(registry: str) -> str:
    host = registry.lower().removesuffix(":443")
    return _DOCKER_HUB if host in _DOCKER_HUB_HOSTS else host
