"""Finds the configuration file, reads it, and turns it into settings.

Nothing heavy is loaded where there is no such file.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from regimport.errors import InvalidConfig, InvalidOptions
from regimport.network import RegistrySettings, Tls, host_name
from regimport.redact import safe_text

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["Configuration", "find", "load", "place"]

VARIABLE = "REGIMPORT_CONFIG"
# Larger than any that is written by hand, in bytes.
_LARGEST = 1024 * 1024
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a file says; `warnings` are about the file itself."""

    path: Path | None = None
    registries: Mapping[str, RegistrySettings] = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[str, ...] = ()


def place(environ: Mapping[str, str]) -> tuple[Path, bool]:
    """Give where the file is to be, and whether the environment says so."""
    named = environ.get(VARIABLE)
    if named:
        return Path(named), True
    import platformdirs  # noqa: PLC0415 - only those who name no file need it

    return platformdirs.user_config_path("regimport", appauthor=False) / "config.toml", False


def find(environ: Mapping[str, str]) -> Configuration:
    """Read the file that there is; raises `InvalidConfig`, also if a named one is missing."""
    path, named = place(environ)
    if not named and not path.exists():
        return Configuration()
    return load(path)


def load(path: Path) -> Configuration:
    """Read a file; raises `InvalidConfig` that names the file, the key, and what is wrong."""
    import tomllib  # noqa: PLC0415

    text, warnings = _read(path)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidConfig(
            f"{path} is no TOML: {error}", hint='write tables as in [registry."docker.io"]'
        ) from error
    except RecursionError as error:
        raise InvalidConfig(f"{path} is no TOML that is meant", hint="it nests too deep") from error
    import pydantic  # noqa: PLC0415 - takes 80 ms to load

    from regimport.configuration.document import ConfigDocument  # noqa: PLC0415

    try:
        document = ConfigDocument.model_validate(content)
    except pydantic.ValidationError as error:
        raise _invalid(path, error) from error
    found: dict[str, RegistrySettings] = {}
    for name, table in document.registry.items():
        key = f"{path}: registry.{_quoted(name)}"
        if host_name(name) in found:
            raise InvalidConfig(f"{key}: that registry is there twice", hint="join the tables")
        try:
            found[host_name(name)] = _anchored(table.settings(), path.parent)
        except InvalidOptions as error:
            raise InvalidConfig(f"{key}: {error.message}", hint=error.hint) from error
    return Configuration(path, found, warnings)


def _read(path: Path) -> tuple[str, tuple[str, ...]]:
    try:
        with path.open("rb") as file:
            mode = path.stat().st_mode
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise InvalidConfig(
            f"{path} cannot be read: {error.strerror}",
            hint=f"the configuration file is named by {VARIABLE}, or in its default place",
        ) from error
    if len(content) > _LARGEST:
        raise InvalidConfig(f"{path} is larger than {_LARGEST} bytes", hint="is it the right file?")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidConfig(
            f"{path} is no TOML: byte {error.start} is not UTF-8", hint="is it the right file?"
        ) from error
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        warning = f"others may write {path}, and so choose whom to trust: chmod go-w {path}"
        return text, (warning,)
    return text, ()


def _anchored(settings: RegistrySettings, folder: Path) -> RegistrySettings:
    """Give the settings with paths that hold from anywhere."""

    def anchor(path: str | None) -> str | None:
        return None if path is None else str(folder / Path(path).expanduser())

    tls = settings.tls
    anchored = Tls(
        ca_file=anchor(tls.ca_file),
        cert_file=anchor(tls.cert_file),
        key_file=anchor(tls.key_file),
        insecure=tls.insecure,
    )
    return replace(settings, tls=anchored)


def _invalid(path: Path, error: ValidationError) -> InvalidConfig:
    lines = [f"  {_key(one['loc'])}: {_words(one)}" for one in error.errors()]
    return InvalidConfig(
        f"{path} says what cannot be meant\n" + "\n".join(lines),
        hint="`regimport schema config` tells what may stand there",
    )


def _key(location: tuple[int | str, ...]) -> str:
    parts = [part for part in location if part != "[key]"]
    return ".".join(f"[{part}]" if isinstance(part, int) else _quoted(part) for part in parts)


def _quoted(part: str) -> str:
    return part if _BARE_KEY.fullmatch(part) else f'"{safe_text(part, 100)}"'


def _words(problem: Any) -> str:
    """Give what is wrong, without the value: it may be a secret in the wrong place."""
    if problem["type"] == "extra_forbidden":
        return "there is no such key"
    message: str = problem["msg"]
    message = message.removeprefix("Value error, ")
    return safe_text(message[:1].lower() + message[1:])
