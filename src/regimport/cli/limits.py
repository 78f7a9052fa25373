"""The options that limit what is copied."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import typer

from regimport.cli.quantities import parse_size
from regimport.errors import InvalidOptions
from regimport.options import Limits

__all__ = ["LimitOptions"]

_PANEL = "Limits"


class LimitOptions(NamedTuple):
    """The options of the panel "Limits", as they were written."""

    max_manifests: Annotated[
        str,
        typer.Option(
            metavar="N|none",
            help="The most manifests that an image may have.",
            rich_help_panel=_PANEL,
        ),
    ] = "50"
    max_layer_size: Annotated[
        str,
        typer.Option(
            metavar="SIZE|none",
            help="The most bytes that a layer may have: 2GiB, 500MB, or bytes.",
            rich_help_panel=_PANEL,
        ),
    ] = "2GiB"

    def parse(self) -> Limits:
        """Return the limits, where `none` is no limit; raise `InvalidOptions`."""
        manifests, size = self.max_manifests, self.max_layer_size
        if manifests != "none" and not manifests.isdecimal():
            raise InvalidOptions(
                f"invalid --max-manifests {manifests!r}", hint="write a number, or none"
            )
        return Limits(
            max_manifests=None if manifests == "none" else int(manifests),
            max_layer_size=None if size == "none" else parse_size(size, "--max-layer-size"),
        )
