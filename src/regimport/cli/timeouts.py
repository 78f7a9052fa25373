"""The options on timeouts, the deadline of a run, and the rate at which it reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, NamedTuple

import typer

from regimport.cli.quantities import parse_duration, parse_rate
from regimport.options import CopyOptions, RetryPolicy, Timeouts

__all__ = ["DeadlineOptions", "TimeOptions"]


def _duration(help_text: str, *, metavar: str = "DURATION", show_default: bool = True) -> object:
    return typer.Option(
        metavar=metavar, help=help_text, rich_help_panel="Time", show_default=show_default
    )


_DEADLINE = "End after this time, finished or not: 90s, 30m, 1h30m."


class DeadlineOptions(NamedTuple):
    """The deadline of a command that writes nothing, as it was written."""

    deadline: Annotated[str | None, _duration(_DEADLINE, show_default=False)] = None

    def apply(self, options: CopyOptions) -> CopyOptions:
        """Return `options` with the deadline in them; raise `InvalidOptions`."""
        if self.deadline is None:
            return options
        return replace(options, deadline=parse_duration(self.deadline, "--deadline"))


class TimeOptions(NamedTuple):
    """The options of the panel "Time", as they were written."""

    max_wait: Annotated[
        str,
        _duration(
            "The longest wait that a rate limit may impose; beyond it the copy fails: exit code 8.",
        ),
    ] = "5m"
    limit_rate: Annotated[
        str | None,
        _duration(
            "Read no faster than this in total: 500K, 10M, 1G, or bytes per second.",
            metavar="RATE",
            show_default=False,
        ),
    ] = None
    deadline: Annotated[
        str | None,
        _duration(
            f"{_DEADLINE} What has been copied stays.",
            show_default=False,
        ),
    ] = None
    connect_timeout: Annotated[str, _duration("The longest wait for a connection.")] = "10s"
    idle_timeout: Annotated[
        str, _duration("The longest time without a byte in either direction.")
    ] = "60s"
    answer_timeout: Annotated[
        str, _duration("The longest wait for the answer after a blob has been sent.")
    ] = "5m"

    def apply(self, options: CopyOptions) -> CopyOptions:
        """Return `options` with these times in them; raise `InvalidOptions`."""
        return replace(
            options,
            retry=RetryPolicy(max_wait=parse_duration(self.max_wait, "--max-wait", zero=True)),
            limit_rate=None if self.limit_rate is None else parse_rate(self.limit_rate),
            deadline=(
                None if self.deadline is None else parse_duration(self.deadline, "--deadline")
            ),
            timeouts=Timeouts(
                connect=parse_duration(self.connect_timeout, "--connect-timeout"),
                idle=parse_duration(self.idle_timeout, "--idle-timeout"),
                answer=parse_duration(self.answer_timeout, "--answer-timeout"),
            ),
        )
