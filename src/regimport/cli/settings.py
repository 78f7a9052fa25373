"""The options of the command line, the environment and the configuration file, as `CopyOptions`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from regimport.cli.connections import SharedOptions
from regimport.cli.printer import Printer
from regimport.errors import InvalidOptions
from regimport.models.platform import Platform
from regimport.network import Network, Pin, RegistrySettings, Tls, host_name
from regimport.options import CopyOptions

__all__ = ["basic_options", "parse_platforms", "parse_referrers", "registry_options"]

# Set to `httpx`, requests go through httpx's own transport: to tell a fault of ours from another.
_TRANSPORT = "REGIMPORT_TRANSPORT"
_HUB = "docker.io"


def basic_options(authfile: str | None) -> CopyOptions:
    """Return the options of a command that asks no registry for anything but its credentials."""
    return CopyOptions(authfile=authfile, transport=_transport())


def registry_options(
    printer: Printer,
    shared: SharedOptions,
    *,
    authfile: str | None,
    source: Tls | None = None,
    target: Tls | None = None,
    registry_mirror: Sequence[str] | None = None,
) -> CopyOptions:
    """Return the options on how registries are reached; the command line precedes the file.

    Raise `UsageError` for options or a configuration file that are not valid. A warning about the
    file is printed.
    """
    from regimport.configuration.load import find

    found = find(os.environ)
    for warning in found.warnings:
        printer.warning(warning)
    registries = dict(found.registries)
    if registry_mirror:
        hub = registries.get(_HUB, RegistrySettings())
        mirrors = tuple(dict.fromkeys((*registry_mirror, *hub.mirrors)))
        registries[_HUB] = replace(hub, mirrors=mirrors)
    network = Network(
        registries=registries,
        source=source or Tls(),
        target=target or Tls(),
        insecure=frozenset(map(host_name, shared.insecure or ())),
        resolve=tuple(map(Pin.parse, shared.resolve or ())),
    )
    return replace(
        basic_options(authfile), plain_http=frozenset(shared.plain_http or ()), network=network
    )


def parse_platforms(platforms: Sequence[str] | None) -> tuple[Platform, ...]:
    """Return the platforms of `--platform`; raise `InvalidReference`."""
    return tuple(Platform.parse(each) for text in platforms or () for each in text.split(","))


def parse_referrers(given: str | None, *, quiet: bool) -> tuple[str, ...] | None:
    """Return the artifact types of `--referrers`; None looks for what is left behind.

    With `--quiet`, nobody would hear of that, so it is not looked for.
    """
    if given is None:
        return () if quiet else None
    types = tuple(kind.strip() for kind in given.split(","))
    return () if types == ("none",) else types


def _transport() -> Literal["pooled", "httpx"]:
    match os.environ.get(_TRANSPORT):
        case None | "" | "pooled":
            return "pooled"
        case "httpx":
            return "httpx"
        case other:
            raise InvalidOptions(
                f"invalid {_TRANSPORT} {other!r}", hint="set it to pooled or httpx, or unset it"
            )
