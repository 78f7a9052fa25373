"""The reporter that prints a JSON object per event, for programs that show progress themselves."""

from __future__ import annotations

import threading

from regimport.cli.documents.events import line_of
from regimport.cli.printer import Printer
from regimport.events import Event

__all__ = ["JsonLines"]


class JsonLines:
    """Prints a line per event, in the order in which they happen."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self._lock = threading.Lock()

    def tell(self, event: Event) -> None:
        """Print the event."""
        with self._lock:
            self._printer.event(line_of(event))
