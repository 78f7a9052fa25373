"""The reporter for terminals: a bar for the whole copy and for each blob that moves."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live

from regimport.cli.params import ProgressKind
from regimport.cli.printer import Printer
from regimport.cli.progress.rows import Screen, draw
from regimport.cli.progress.steps import Steps
from regimport.cli.progress.totals import Totals
from regimport.events import Event

__all__ = ["Display"]

# How often a second the display is drawn.
_FREQUENCY = 8


class Display(Steps):
    """Draws how far the copy is, and prints the rest above that."""

    def __init__(self, printer: Printer) -> None:
        super().__init__(printer)
        self._totals = Totals(time.monotonic())
        # Who asks for bars gets them wherever standard error leads to.
        forced = True if printer.progress is ProgressKind.TTY else None
        self._live = Live(
            self,
            console=Console(stderr=True, force_terminal=forced, highlight=False),
            refresh_per_second=_FREQUENCY,
            redirect_stdout=False,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()
        super().__exit__(kind, error, trace)

    def count(self, event: Event, now: float) -> None:
        """Count the event."""
        super().count(event, now)
        self._totals.take(event, now)

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the display for the terminal as large as it is now."""
        with self.lock:
            screen = Screen(options.max_width, options.size.height, options.ascii_only)
            lines = draw(self._totals, time.monotonic(), screen, self.causes.latest)
        yield from lines
