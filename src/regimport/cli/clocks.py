"""The options on how fast a run may go."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from regimport.cli.quantities import parse_rate

__all__ = ["LimitRate", "rate_of"]

_PANEL = "Time"

LimitRate: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="RATE",
        help="Read no faster than this, all in all: 500K, 10M, 1G, or bytes per second.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]


def rate_of(limit_rate: str | None) -> float | None:
    """Read the flag; raises `InvalidOptions`."""
    return None if limit_rate is None else parse_rate(limit_rate)
