"""Reporters that print events on standard error: as bars, as plain lines, or as JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from regimport.cli.params import ProgressKind
from regimport.cli.printer import Printer
from regimport.events import Reporter

__all__ = ["reporter_for"]


@contextmanager
def reporter_for(printer: Printer) -> Iterator[Reporter]:
    """Yield the reporter that the options and the terminal ask for."""
    if printer.progress is ProgressKind.JSON:
        from regimport.cli.progress.json_lines import JsonLines

        yield JsonLines(printer)
    elif printer.live:
        from regimport.cli.progress.display import Display

        with Display(printer) as display:
            yield display
    elif printer.quiet or printer.progress is ProgressKind.NONE:
        from regimport.cli.progress.steps import Steps

        with Steps(printer) as steps:
            yield steps
    else:
        from regimport.cli.progress.lines import Lines

        with Lines(printer) as lines:
            yield lines
