"""The options on how fast a run may go, and how long it may take."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from regimport.cli.quantities import parse_duration, parse_rate
from regimport.options import Timeouts

__all__ = [
    "AnswerTimeout",
    "ConnectTimeout",
    "Deadline",
    "IdleTimeout",
    "LimitRate",
    "MaxWait",
    "deadline_of",
    "max_wait_of",
    "rate_of",
    "timeouts_of",
]

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
Deadline: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="End after this time, done or not: 90s, 30m, 1h30m. What is finished stays.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
ConnectTimeout: TypeAlias = Annotated[
    str,
    typer.Option(metavar="DURATION", help="Longest wait for a connection.", rich_help_panel=_PANEL),
]
IdleTimeout: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="DURATION",
        help="Longest time in which no byte moves, in either direction.",
        rich_help_panel=_PANEL,
    ),
]
AnswerTimeout: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="DURATION",
        help="Longest wait for the answer once a blob has been sent.",
        rich_help_panel=_PANEL,
    ),
]
MaxWait: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="DURATION",
        help="Longest wait that a registry may ask for before the copy ends: exit code 8.",
        rich_help_panel=_PANEL,
    ),
]


def rate_of(limit_rate: str | None) -> float | None:
    """Read the flag; raises `InvalidOptions`."""
    return None if limit_rate is None else parse_rate(limit_rate)


def deadline_of(deadline: str | None) -> float | None:
    """Read the flag; raises `InvalidOptions`."""
    return None if deadline is None else parse_duration(deadline, "--deadline")


def max_wait_of(max_wait: str) -> float:
    """Read the flag, 0 for no wait at all; raises `InvalidOptions`."""
    return parse_duration(max_wait, "--max-wait", zero=True)


def timeouts_of(connect: str, idle: str, answer: str) -> Timeouts:
    """Read the flags; raises `InvalidOptions`."""
    return Timeouts(
        connect=parse_duration(connect, "--connect-timeout"),
        idle=parse_duration(idle, "--idle-timeout"),
        answer=parse_duration(answer, "--answer-timeout"),
    )
