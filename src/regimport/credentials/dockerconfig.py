"""Docker's config.json and podman's auth.json, and their credentials for a repository."""

from __future__ import annotations

import base64
import codecs
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from regimport.credentials.helper import is_helper_name
from regimport.credentials.hosts import server_address
from regimport.errors import InvalidConfig
from regimport.models.credential import TOKEN_USERNAME, Credential
from regimport.network import host_name
from regimport.redact import reason_of
from regimport.values import dataclass, field

__all__ = [
    "DockerConfig",
    "Entry",
    "canonical_key",
    "config_path",
    "containers_paths",
    "load",
    "read_text",
]

_MAX_BYTES = 1024 * 1024
# An entry without any of these members is empty.
_SECRETS = ("auth", "identitytoken", "registrytoken", "password")


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of `auths` for a repository; `key` is spelled as in the file."""

    key: str
    credential: Credential


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """The parts of a config.json that are about credentials; `where` names the file.

    `store` is the credential helper for registries that are not in `helpers`; `exposed` is whether
    other users may read the file.
    """

    where: str
    auths: Mapping[str, Mapping[str, object]] = field(repr=False)
    helpers: Mapping[str, str]
    store: str | None
    exposed: bool = False

    @classmethod
    def parse(cls, text: str, where: str) -> DockerConfig:
        """Read a config.json, or raise `InvalidConfig`, whose message shows none of its content."""
        if len(text) > _MAX_BYTES:
            raise _too_large(where)
        text = text.removeprefix("\ufeff")
        try:
            document = json.loads(text) if text.strip() else {}
        except (ValueError, RecursionError):
            # Without the cause, here and below: it contains the text, with its secrets.
            raise InvalidConfig(
                f"{where} is not valid JSON", hint="correct it, or log in again to write it anew"
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

    def entry(self, registry: str, repository: str) -> Entry | None:
        """Return the entry for a repository: the longest that names it or a parent of it.

        Hosts are compared as a whole; empty entries are ignored. If a name is in the file in
        several spellings, Docker's own is used. Raise `InvalidConfig` for an entry that cannot be
        read.
        """
        spelling: dict[str, str] = {}
        for key, entry in self.auths.items():
            if any(entry.get(name) for name in _SECRETS):
                name = canonical_key(key)
                if key in {name, server_address(name)}:
                    spelling[name] = key
                else:
                    spelling.setdefault(name, key)
        name = f"{host_name(registry)}/{repository}"
        while name:
            if name in spelling:
                key = spelling[name]
                found = self._read(self.auths[key], name)
                return None if found is None else Entry(key, found)
            name = name.rpartition("/")[0]
        return None

    def helper(self, registry: str) -> str | None:
        """Return the name of the credential helper for this registry alone, None if there is none.

        Raise `InvalidConfig` for a name that could run another program.
        """
        by_host = {canonical_key(key): name for key, name in self.helpers.items()}
        name = by_host.get(host_name(registry))
        if name is not None and not is_helper_name(name):
            raise InvalidConfig(
                f"the credential helper for {registry} in {self.where} is not valid",
                hint="its name may contain letters, digits, '.', '_' and '-'",
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
            return _of_pair(self._decode(auth, name))
        username, password = entry.get("username"), entry.get("password")
        if isinstance(username, str) and isinstance(password, str) and username:
            return _of_pair((username, password))
        return None

    def _decode(self, auth: str, name: str) -> tuple[str, str]:
        try:
            # Some tools wrap it at 76 columns, as base64(1) does.
            pair = base64.b64decode("".join(auth.split()), validate=True).decode("utf-8")
        except ValueError:
            raise self._unreadable(name) from None
        username, colon, password = pair.partition(":")
        if not colon:
            raise self._unreadable(name)
        return username, password.rstrip("\x00")

    def _unreadable(self, name: str) -> InvalidConfig:
        return InvalidConfig(
            f"the entry for {name} in {self.where} cannot be read",
            hint=f"log in again: regimport login {name.partition('/')[0]}",
        )


def config_path(environ: Mapping[str, str]) -> Path | None:
    """Return the path of Docker's config.json, in $DOCKER_CONFIG or ~/.docker.

    None if neither that variable nor HOME is set.
    """
    folder = environ.get("DOCKER_CONFIG")
    if folder:
        return Path(folder) / "config.json"
    home = environ.get("HOME")
    return Path(home) / ".docker" / "config.json" if home else None


def containers_paths(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where podman, skopeo and buildah store an auth.json (containers-auth.json(5)).

    Without $XDG_RUNTIME_DIR, as for root in a container, the folder is named for the user's ID.
    """
    runtime, config = environ.get("XDG_RUNTIME_DIR"), environ.get("XDG_CONFIG_HOME")
    home = environ.get("HOME")
    if not config and home:
        config = str(Path(home) / ".config")
    volatile = (
        Path(runtime) / "containers" if runtime else Path("/run/containers") / str(os.getuid())
    )
    lasting = (Path(config) / "containers",) if config else ()
    return tuple(folder / "auth.json" for folder in (volatile, *lasting))


def load(path: Path) -> DockerConfig | None:
    """Read a config.json, or raise `InvalidConfig`; None if there is no such file.

    The cause of the error is an `OSError` if the file cannot be reached.
    """
    found = read_text(path)
    if found is None:
        return None
    text, exposed = found
    return replace(DockerConfig.parse(text, str(path)), exposed=exposed)


def read_text(path: Path) -> tuple[str, bool] | None:
    """Return the text of a credentials file, and whether other users may read it.

    None if there is no such file. Raise `InvalidConfig` if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidConfig(f"{path} cannot be read: {reason_of(error)}") from error
    if len(raw) > _MAX_BYTES:
        raise _too_large(str(path))
    try:
        text = raw.decode(_encoding_of(raw))
    except UnicodeDecodeError:
        raise InvalidConfig(f"{path} is not UTF-8 text") from None
    return text, bool(mode & (stat.S_IRGRP | stat.S_IROTH))


def _encoding_of(raw: bytes) -> str:
    """Return the encoding that a byte order mark names, as editors on Windows write one."""
    marked = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return "utf-16" if marked else "utf-8-sig"


def _of_pair(pair: tuple[str, str]) -> Credential:
    username, password = pair
    if username == TOKEN_USERNAME:
        return Credential(identity_token=password)
    return Credential(username, password)


def _too_large(where: str) -> InvalidConfig:
    return InvalidConfig(f"{where} is larger than {_MAX_BYTES} bytes")


def _table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def canonical_key(key: str) -> str:
    """Return a key of `auths` as `host[:port][/path]`, without the URL around it of old Dockers."""
    bare = key.partition("://")[2] or key
    host, _, path = bare.rstrip("/").partition("/")
    if path in {"v1", "v2"}:
        path = ""
    return f"{host_name(host)}/{path}" if path else host_name(host)
