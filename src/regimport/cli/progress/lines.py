"""The reporter for logs: a line at the start, then at most one every few seconds."""

from __future__ import annotations

import time

from regimport.cli.printer import Printer, counted, human_size
from regimport.cli.progress.speed import time_left
from regimport.cli.progress.steps import Steps
from regimport.cli.progress.totals import STALLED, Totals
from regimport.events import Checking, Event, Planned

__all__ = ["Lines", "progress_line"]

# Seconds between two lines.
_INTERVAL = 5.0


class Lines(Steps):
    """Prints how far the copy is, how fast it goes, and how long it will take."""

    def __init__(self, printer: Printer) -> None:
        super().__init__(printer)
        now = time.monotonic()
        self._totals = Totals(now)
        self._next = now + _INTERVAL

    def count(self, event: Event, now: float) -> None:
        """Count the event."""
        super().count(event, now)
        self._totals.take(event, now)

    def announce(self, event: Event) -> None:
        """Print what is to be done, once it is known."""
        if isinstance(event, Planned):
            self.printer.note(
                f"copying {counted(event.blobs, 'blob')} ({human_size(event.size)}) "
                f"and {counted(event.manifests, 'manifest')}"
            )
        elif isinstance(event, Checking):
            self.printer.note(
                f"reading {counted(event.blobs, 'blob')} back ({human_size(event.size)})"
            )

    def due(self, now: float) -> str | None:
        """Return how far the copy is, once in a few seconds."""
        if now < self._next:
            return None
        self._next = now + _INTERVAL
        return progress_line(self._totals, now)


def progress_line(totals: Totals, now: float) -> str:
    """Return how far the copy is, in a line."""
    if (importing := totals.import_line(now)) is not None:
        return importing
    if totals.images:
        return f"{totals.images_finished} of {totals.images} images, {_moved(totals, now)}"
    return _moved(totals, now)


def _moved(totals: Totals, now: float) -> str:
    if totals.source is None and not totals.planned:
        return "looking up the image"
    if not totals.planned:
        count = totals.manifests_to_read
        manifests = counted(count, "manifest") if count else "manifests"
        return f"reading {manifests} of {totals.source}"
    moved = f"{human_size(totals.moved)} of {human_size(totals.size)}"
    line = f"{moved}, {totals.finished} of {totals.blobs} blobs"
    if totals.finished == totals.blobs and not totals.checking:
        return f"{line}, {totals.manifests_put} of {totals.manifests} manifests"
    if now - totals.moved_at >= STALLED:
        return f"{line}, stalled for {now - totals.moved_at:.0f} s"
    rate = totals.speed.rate(now)
    left = time_left(totals.size - totals.moved, rate)
    line += f", {human_size(rate)}/s"
    return line if left is None else f"{line}, {left} left"
