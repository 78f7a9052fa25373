"""The reporter that prints warnings, and each step with -v; others build on it."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from regimport.cli.printer import Printer, counted, human_size
from regimport.cli.progress.causes import Causes, in_full
from regimport.errors import Interrupted
from regimport.events import (
    BlobFinished,
    BlobStarted,
    Event,
    ManifestPut,
    OfImage,
    ReadingManifests,
    ReferrersFound,
    Resolved,
    Retrying,
    Warned,
)

__all__ = ["Steps"]


class Steps:
    """Prints warnings and why things were tried again, and with -v each step.

    As a context, it looks once in `interval` seconds for something to print.
    """

    interval = 1.0

    def __init__(self, printer: Printer) -> None:
        self.printer = printer
        self.lock = threading.Lock()
        self.causes = Causes()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        # Whoever stops a copy does not want to hear what else went wrong.
        if not isinstance(error, (Interrupted, KeyboardInterrupt)):
            for line in self.causes.rest():
                self.printer.warning(line)

    def tell(self, event: Event) -> None:
        """Count the event, and print what is to be said of it."""
        with self.lock:
            self.count(event, time.monotonic())
        several = isinstance(event, OfImage)
        if isinstance(event, OfImage):
            event = event.event
        # Not under the lock: a live display is drawn anew with each line, and takes it.
        if isinstance(event, Warned):
            self.printer.warning(event.message)
        elif self.printer.verbose:
            self._detail(event)
        if not several:
            self.announce(event)

    def count(self, event: Event, now: float) -> None:
        """Count the event; `lock` is held."""
        if isinstance(event, OfImage):
            event = event.event
        if isinstance(event, Retrying) and not self.printer.verbose:
            self.causes.add(event, now)

    def announce(self, event: Event) -> None:
        """Print more of an event."""

    def due(self, _now: float) -> str | None:
        """Return the line on progress that is due; `lock` is held."""
        return None

    def _run(self) -> None:
        while not self._ended.wait(self.interval):
            now = time.monotonic()
            with self.lock:
                causes, line = self.causes.due(now), self.due(now)
            for cause in causes:
                self.printer.warning(cause)
            if line is not None:
                self.printer.note(line)

    def _detail(self, event: Event) -> None:
        if isinstance(event, Retrying):
            self.printer.warning(in_full(event))
        elif isinstance(event, Resolved):
            self.printer.note(f"{event.source} is {event.root.digest}")
        elif isinstance(event, ReadingManifests):
            self.printer.note(f"reading {counted(event.count, 'manifest')}")
        elif isinstance(event, ReferrersFound):
            self.printer.note(f"found {counted(event.count, 'referrer')}")
        elif isinstance(event, BlobStarted) and event.done:
            done = human_size(event.done)
            self.printer.note(f"resuming {event.blob.digest} after {done}")
        elif isinstance(event, BlobFinished):
            size = human_size(event.blob.size)
            self.printer.note(f"{event.target}: {event.outcome} {event.blob.digest} ({size})")
        elif isinstance(event, ManifestPut):
            self.printer.note(f"{event.target}: put manifest {event.reference}")
