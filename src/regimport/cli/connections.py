"""The options on how registries are reached, and how they and the configuration file join."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, TypeAlias

import typer

from regimport.cli.printer import Printer
from regimport.network import Network, Pin, RegistrySettings, Tls, host_name

__all__ = [
    "CaFile",
    "Cert",
    "Insecure",
    "Key",
    "RegistryMirror",
    "Resolve",
    "SourceCaFile",
    "SourceCert",
    "SourceKey",
    "TargetCaFile",
    "TargetCert",
    "TargetKey",
    "network_of",
]

_PANEL = "Connections"
_HUB = "docker.io"


def _file(flag: str, text: str) -> object:
    return typer.Option(flag, metavar="FILE", help=text, rich_help_panel=_PANEL, show_default=False)


SourceCaFile: TypeAlias = Annotated[
    str | None,
    _file("--source-ca-file", "Authorities to trust at the source, besides the system's: PEM."),
]
SourceCert: TypeAlias = Annotated[
    str | None, _file("--source-cert", "The client certificate to show to the source: PEM.")
]
SourceKey: TypeAlias = Annotated[
    str | None, _file("--source-key", "Its key, unless that is in the same file: PEM.")
]
TargetCaFile: TypeAlias = Annotated[
    str | None,
    _file("--target-ca-file", "Authorities to trust at the targets, besides the system's: PEM."),
]
TargetCert: TypeAlias = Annotated[
    str | None, _file("--target-cert", "The client certificate to show to the targets: PEM.")
]
TargetKey: TypeAlias = Annotated[
    str | None, _file("--target-key", "Its key, unless that is in the same file: PEM.")
]
CaFile: TypeAlias = Annotated[
    str | None, _file("--ca-file", "Authorities to trust there, besides the system's: PEM.")
]
Cert: TypeAlias = Annotated[
    str | None, _file("--cert", "The client certificate to show there: PEM.")
]
Key: TypeAlias = Annotated[
    str | None, _file("--key", "Its key, unless that is in the same file: PEM.")
]
Insecure: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOST[:PORT]",
        help="Do not check this registry's certificate; repeatable. It is spoken to with TLS all "
        "the same.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Resolve: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOST:PORT:ADDRESS",
        help="Connect to this address for a host and a port, whose name stays that of the host; "
        "repeatable.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
RegistryMirror: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="URL",
        help="Read images of docker.io from this mirror first; repeatable.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]


def network_of(
    printer: Printer,
    *,
    source: tuple[str | None, str | None, str | None] = (None, None, None),
    target: tuple[str | None, str | None, str | None] = (None, None, None),
    insecure: Sequence[str] | None = None,
    resolve: Sequence[str] | None = None,
    registry_mirror: Sequence[str] | None = None,
) -> Network:
    """Join the flags with the configuration file, before which they count.

    `source` and `target` are files: authorities, certificate and key. Raises `UsageError`.
    """
    from regimport.configuration.load import find  # noqa: PLC0415 - --help needs none of it

    found = find(os.environ)
    for warning in found.warnings:
        printer.warning(warning)
    registries = dict(found.registries)
    if registry_mirror:
        hub = registries.get(_HUB, RegistrySettings())
        mirrors = tuple(dict.fromkeys((*registry_mirror, *hub.mirrors)))
        registries[_HUB] = replace(hub, mirrors=mirrors)
    return Network(
        registries=registries,
        source=Tls(ca_file=source[0], cert_file=source[1], key_file=source[2]),
        target=Tls(ca_file=target[0], cert_file=target[1], key_file=target[2]),
        insecure=frozenset(map(host_name, insecure or ())),
        resolve=tuple(Pin.parse(one) for one in resolve or ()),
    )
