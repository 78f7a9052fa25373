"""The options on how registries are reached: TLS, addresses, mirrors."""

from __future__ import annotations

from typing import Annotated, NamedTuple, TypeAlias

import typer

from regimport.network import Tls

__all__ = [
    "ConnectionOptions",
    "RegistryMirror",
    "SharedOptions",
    "SourceAndTargetConnectionOptions",
]

_PANEL = "Connections"
_KEY = "Its key, unless that is in the same file: PEM."


def _file(flag: str, help_text: str) -> object:
    return typer.Option(
        flag, metavar="FILE", help=help_text, rich_help_panel=_PANEL, show_default=False
    )


def _authorities(flag: str, where: str) -> object:
    return _file(
        flag, f"Authorities to trust {where}, besides the system's or $SSL_CERT_FILE: PEM."
    )


def _certificate(flag: str, where: str) -> object:
    return _file(flag, f"The client certificate to show {where}: PEM.")


def _repeatable(metavar: str, help_text: str, *, panel: str = _PANEL) -> object:
    return typer.Option(metavar=metavar, help=help_text, rich_help_panel=panel, show_default=False)


RegistryMirror: TypeAlias = Annotated[
    list[str] | None,
    _repeatable("URL", "Read images of docker.io from this mirror first; repeatable."),
]


class SharedOptions(NamedTuple):
    """The options of every command that contacts a registry."""

    plain_http: Annotated[
        list[str] | None,
        _repeatable(
            "HOST[:PORT]",
            "Speak http, not https, with this registry; repeatable. Loopback needs no option.",
            panel="Access",
        ),
    ] = None
    insecure: Annotated[
        list[str] | None,
        _repeatable(
            "HOST[:PORT]",
            "Do not check this registry's certificate; repeatable. It is spoken to with TLS all "
            "the same.",
        ),
    ] = None
    resolve: Annotated[
        list[str] | None,
        _repeatable(
            "HOST:PORT:ADDRESS",
            "Connect to this address for a host and a port, whose name stays that of the host; "
            "repeatable.",
        ),
    ] = None


class ConnectionOptions(NamedTuple):
    """The connection of a command that uses one registry."""

    ca_file: Annotated[str | None, _authorities("--ca-file", "there")] = None
    cert: Annotated[str | None, _certificate("--cert", "there")] = None
    key: Annotated[str | None, _file("--key", _KEY)] = None
    shared: SharedOptions = SharedOptions()

    @property
    def tls(self) -> Tls:
        """The TLS settings of the registry; raise `InvalidOptions` for a key alone."""
        return Tls(ca_file=self.ca_file, cert_file=self.cert, key_file=self.key)


class SourceAndTargetConnectionOptions(NamedTuple):
    """The connections to the source, and those to the targets."""

    source_ca_file: Annotated[str | None, _authorities("--source-ca-file", "at the source")] = None
    source_cert: Annotated[str | None, _certificate("--source-cert", "to the source")] = None
    source_key: Annotated[str | None, _file("--source-key", _KEY)] = None
    target_ca_file: Annotated[str | None, _authorities("--target-ca-file", "at the targets")] = None
    target_cert: Annotated[str | None, _certificate("--target-cert", "to the targets")] = None
    target_key: Annotated[str | None, _file("--target-key", _KEY)] = None
    shared: SharedOptions = SharedOptions()

    @property
    def source(self) -> Tls:
        """The TLS settings of the source; raise `InvalidOptions` for a key alone."""
        return Tls(
            ca_file=self.source_ca_file, cert_file=self.source_cert, key_file=self.source_key
        )

    @property
    def target(self) -> Tls:
        """The TLS settings of the targets; raise `InvalidOptions` for a key alone."""
        return Tls(
            ca_file=self.target_ca_file, cert_file=self.target_cert, key_file=self.target_key
        )
