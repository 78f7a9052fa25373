"""Docker's config.json: which of its credentials are for a repository."""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from regimport.errors import InvalidConfig
from regimport.models.credential import Credential

__all__ = ["DockerConfig", "config_path", "load"]

_MAX_BYTES = 1024 * 1024
# The members of an entry without which it says nothing.
_SECRETS = ("auth", "identitytoken", "registrytoken", "password")
_DOCKER_HUB = "docker.io"
_DOCKER_HUB_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """The parts of a config.json that speak of credentials; `where` names the file.

    `store` is the helper for every registry that `helpers` has none for; `exposed` tells that
    others than its owner may read the file.
    """

    where: str
    auths: Mapping[str, Mapping[str, object]] = field(repr=False)
    helpers: Mapping[str, str]
    store: str | None
    exposed: bool = False

    @classmethod
    def parse(cls, text: str, where: str) -> DockerConfig:
        """Read a config.json; raises `InvalidConfig`, which shows nothing of its content."""
        if len(text) > _MAX_BYTES:
            raise _too_large(where)
        try:
            document = json.loads(text) if text.strip() else {}
        except (ValueError, RecursionError):
            # The cause is left out, here and below: it holds the secrets that it could not read.
            raise InvalidConfig(
                f"{where} is not valid JSON", hint="mend it, or log in again to write it anew"
            ) from None
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

        Hosts are compared whole, never in part; an empty entry is none. Raises `InvalidConfig`
        for an entry that names it and cannot be read.
        """
        entries: dict[str, Mapping[str, object]] = {}
        for key, entry in self.auths.items():
            if any(entry.get(name) for name in _SECRETS):
                entries.setdefault(_canonical(key), entry)
        name = f"{_host(registry)}/{repository}"
        while name:
            if name in entries:
                return self._read(entries[name], name)
            name = name.rpartition("/")[0]
        return None

    def helper(self, registry: str) -> str | None:
        """Give the name of the credential helper that is set for a registry, apart from `store`.

        Raises `InvalidConfig` for a name that could run something else than a helper.
        """
        by_host = {_canonical(key): name for key, name in self.helpers.items()}
        name = by_host.get(_host(registry))
        if name is not None and not _NAME_CHARACTERS.issuperset(name):
            raise InvalidConfig(
                f"{self.where} names a credential helper for {registry} that cannot be one",
                hint="the name may hold letters, digits, '.', '_' and '-'",
            )
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
        except ValueError:
            raise self._unreadable(name) from None
        username, colon, password = pair.partition(":")
        if not colon:
            raise self._unreadable(name)
        return Credential(username, password.rstrip("\x00"))

    def _unreadable(self, name: str) -> InvalidConfig:
        return InvalidConfig(
            f"the entry for {name} in {self.where} cannot be read",
            hint=f"log in again: docker login {name.partition('/')[0]}",
        )


def config_path(environ: Mapping[str, str]) -> Path | None:
    """Give where Docker keeps its config.json: $DOCKER_CONFIG, or ~/.docker; None without both."""
    folder = environ.get("DOCKER_CONFIG")
    if folder:
        return Path(folder) / "config.json"
    home = environ.get("HOME")
    return Path(home) / ".docker" / "config.json" if home else None


def load(path: Path) -> DockerConfig | None:
    """Read a config.json, None if there is none; raises `InvalidConfig`."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidConfig(f"{path} cannot be read: {error.strerror}") from error
    if len(raw) > _MAX_BYTES:
        raise _too_large(str(path))
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidConfig(f"{path} is not text in UTF-8") from None
    exposed = bool(mode & (stat.S_IRGRP | stat.S_IROTH))
    return replace(DockerConfig.parse(text, str(path)), exposed=exposed)


def _too_large(where: str) -> InvalidConfig:
    return InvalidConfig(f"{where} is larger than {_MAX_BYTES} bytes")


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
