"""Find the configuration file, read it, and turn it into settings.

Without a configuration file, no large module is loaded.
"""

from __future__ import annotations

import codecs
import re
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from regimport.errors import InvalidConfig, InvalidOptions
from regimport.network import RegistrySettings, Tls, host_name
from regimport.redact import printable, reason_of

if TYPE_CHECKING:
    from pydantic import ValidationError
from regimport.values import dataclass, field

__all__ = ["Configuration", "config_path", "find", "load"]

VARIABLE = "REGIMPORT_CONFIG"
# The largest file that is read, in bytes; none that is written by hand is as large.
_LARGEST = 1024 * 1024
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of a file, if there is one; `warnings` are about the file itself."""

    path: Path | None = None
    registries: Mapping[str, RegistrySettings] = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[str, ...] = ()


def config_path(environ: Mapping[str, str]) -> tuple[Path, bool]:
    """Return where the file is expected, and whether the environment names that place."""
    named = environ.get(VARIABLE)
    if named:
        return Path(named), True
    import platformdirs  # noqa: PLC0415 - not needed where the environment names the file

    return platformdirs.user_config_path("regimport", appauthor=False) / "config.toml", False


def find(environ: Mapping[str, str]) -> Configuration:
    """Return the configuration in use; raise `InvalidConfig`, also if a named file is missing.

    A file that nobody named, and that cannot be reached, is skipped with a warning.
    """
    path, named = config_path(environ)
    if named:
        return load(path)
    try:
        path.stat()
    except FileNotFoundError:
        return Configuration()
    except OSError as error:
        return _skipped(path, error)
    try:
        return load(path)
    except InvalidConfig as error:
        if isinstance(error.__cause__, OSError):
            return _skipped(path, error.__cause__)
        raise


def load(path: Path) -> Configuration:
    """Return the configuration in a file.

    Raise `InvalidConfig`, whose message has the file, the key, and what is wrong with it.
    """
    import tomllib  # noqa: PLC0415

    text, warnings = _read(path)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidConfig(
            f"{path} is not valid TOML: {error}", hint='write tables as in [registry."docker.io"]'
        ) from error
    except RecursionError as error:
        raise InvalidConfig(
            f"{path} is not valid TOML: it is nested too deeply", hint="is it the right file?"
        ) from error
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
            raise InvalidConfig(
                f"{key}: the registry has two tables", hint="put all settings into one"
            )
        try:
            found[host_name(name)] = _with_absolute_paths(table.settings(), path.parent)
        except InvalidOptions as error:
            raise InvalidConfig(f"{key}: {error.message}", hint=error.hint) from error
    return Configuration(path, found, warnings)


def _skipped(path: Path, error: OSError) -> Configuration:
    warning = f"the configuration file {path} is not used: {reason_of(error)}"
    return Configuration(warnings=(warning,))


def _read(path: Path) -> tuple[str, tuple[str, ...]]:
    try:
        with path.open("rb") as file:
            mode = path.stat().st_mode
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise InvalidConfig(
            f"{path} cannot be read: {reason_of(error)}",
            hint=f"set {VARIABLE} to use another file",
        ) from error
    if len(content) > _LARGEST:
        raise InvalidConfig(f"{path} is larger than {_LARGEST} bytes", hint="is it the right file?")
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidConfig(
            f"{path} is not valid TOML: byte {error.start} is not UTF-8",
            hint="it is UTF-16 text: save it as UTF-8" if marked else "is it the right file?",
        ) from error
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        warning = (
            f"other users can write to {path}, and so decide whom you trust: chmod go-w {path}"
        )
        return text, (warning,)
    return text, ()


def _with_absolute_paths(settings: RegistrySettings, folder: Path) -> RegistrySettings:
    """Return the settings with absolute paths; relative ones start at `folder`."""

    def absolute_path(path: str | None) -> str | None:
        return None if path is None else str(folder / Path(path).expanduser())

    tls = settings.tls
    absolute = Tls(
        ca_file=absolute_path(tls.ca_file),
        cert_file=absolute_path(tls.cert_file),
        key_file=absolute_path(tls.key_file),
        insecure=tls.insecure,
    )
    return replace(settings, tls=absolute)


def _invalid(path: Path, error: ValidationError) -> InvalidConfig:
    problems = error.errors()
    if len(problems) == 1 and problems[0]["type"] == "extra_forbidden":
        *table, _ = problems[0]["loc"]
        place = f"\n  in [{_key(tuple(table))}]" if table else ""
        message = f"{path}: {_explain(problems[0])}{place}"
    else:
        lines = [f"  {_key(problem['loc'])}: {_explain(problem)}" for problem in problems]
        message = f"{path} is not valid\n" + "\n".join(lines)
    return InvalidConfig(
        message,
        hint="`regimport schema config` prints the keys and their types",
    )


def _explain_unknown_key(location: tuple[int | str, ...]) -> str:
    import difflib  # noqa: PLC0415 - only needed for a mistake

    from regimport.configuration.document import ConfigDocument, RegistryDocument  # noqa: PLC0415

    # A registry's keys stand at registry.NAME.KEY, all others at the top.
    document = RegistryDocument if len(location) == 3 else ConfigDocument
    known = [str(field.alias) for field in document.model_fields.values()]
    similar = difflib.get_close_matches(str(location[-1]), known, 1)
    named = f"unknown key `{printable(str(location[-1]), 100)}`"
    return named + "".join(f"; did you mean `{key}`?" for key in similar)


def _key(location: tuple[int | str, ...]) -> str:
    parts = [part for part in location if part != "[key]"]
    return ".".join(f"[{part}]" if isinstance(part, int) else _quoted(part) for part in parts)


def _quoted(part: str) -> str:
    return part if _BARE_KEY.fullmatch(part) else f'"{printable(part, 100)}"'


def _explain(problem: Any) -> str:
    """Return what is wrong, without the value, which may be a secret in the wrong place."""
    if problem["type"] == "extra_forbidden":
        return _explain_unknown_key(problem["loc"])
    message: str = problem["msg"]
    message = message.removeprefix("Value error, ")
    return printable(message[:1].lower() + message[1:], 300)
