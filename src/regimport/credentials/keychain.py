"""In which order credentials are looked for; each side of a copy on its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping

from regimport.credentials.dockerconfig import DockerConfig, config_path, load
from regimport.errors import InvalidOptions, Side
from regimport.models.credential import Credential

__all__ = ["Keychain"]


class Keychain:
    """Finds credentials: those given, else the environment's, else Docker's, else none.

    What was given, or stands in the environment, is for the registries of its side; `warn` is
    told, once, of what could not be used.
    """

    def __init__(
        self,
        given: Mapping[Side, Credential | None],
        warn: Callable[[str], None],
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._warn = warn
        self._lock = threading.Lock()
        self._config: DockerConfig | None = None
        self._loaded = False
        self._warned: set[str] = set()
        self._given = {
            side: given.get(side) or _from_environment(self._environ, side) for side in Side
        }

    def find(self, side: Side, registry: str, repository: str) -> Credential | None:
        """Give the credential for a repository, None to be anonymous; raises `InvalidConfig`."""
        explicit = self._given[side]
        if explicit is not None:
            return explicit
        config = self._docker_config()
        if config is None:
            return None
        own_helper = config.helper(registry)
        found = None if own_helper else config.credential(registry, repository)
        helper = own_helper or config.store
        if found is None and helper is not None:
            self._warn_once(_not_asked(config.where, helper, side, registry))
        if found is not None and config.exposed:
            self._warn_once(f"{config.where} holds secrets, and others may read it: chmod 600 it")
        return found

    def _docker_config(self) -> DockerConfig | None:
        with self._lock:
            if not self._loaded:
                path = config_path(self._environ)
                self._config = None if path is None else load(path)
                self._loaded = True
            return self._config

    def _warn_once(self, message: str) -> None:
        with self._lock:
            if message in self._warned:
                return
            self._warned.add(message)
        self._warn(message)


def _not_asked(where: str, helper: str, side: Side, registry: str) -> str:
    prefix = f"REGIMPORT_{side.upper()}_"
    return (
        f"{where} leaves {registry} to the credential helper {helper!r}; credential helpers are "
        "not supported yet, so it is spoken to without credentials. To use some, set "
        f"{prefix}USERNAME and {prefix}PASSWORD, or give --{side}-username and "
        f"--{side}-password-stdin"
    )


def _from_environment(environ: Mapping[str, str], side: Side) -> Credential | None:
    prefix = f"REGIMPORT_{side.upper()}_"
    username, password = environ.get(f"{prefix}USERNAME"), environ.get(f"{prefix}PASSWORD")
    if not username and not password:
        return None
    if not username or not password:
        missing = "PASSWORD" if username else "USERNAME"
        raise InvalidOptions(
            f"{prefix}{missing} is not set",
            hint=f"set {prefix}USERNAME and {prefix}PASSWORD together, or neither",
        )
    return Credential(username, password)
