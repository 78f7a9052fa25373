"""Reporters that print events on standard error: as bars, as plain lines, or as JSON lines."""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from regimport.cli.params import ProgressKind
from regimport.cli.printer import Printer, human_size
from regimport.errors import Side
from regimport.events import (
    BlobFinished,
    BlobStarted,
    BytesMoved,
    Checking,
    Event,
    ManifestPut,
    Planned,
    Reporter,
    Resolved,
    Retrying,
    Warned,
)
from regimport.models.digest import Digest

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["reporter_for"]

# Seconds between two progress lines.
_INTERVAL = 5.0
# The smallest blob that gets a bar of its own, in bytes; the bars of smaller ones would flicker.
_OWN_BAR = 1024 * 1024


@contextmanager
def reporter_for(printer: Printer) -> Iterator[Reporter]:
    """Yield the reporter that the options and the terminal ask for."""
    if printer.progress is ProgressKind.JSON:
        yield _JsonLines()
    elif printer.quiet or printer.progress is ProgressKind.NONE:
        yield _Warnings(printer)
    elif printer.live:
        with _bars() as progress:
            yield _Bars(printer, progress)
    else:
        yield _Lines(printer)


class _Warnings:
    """Prints retries and warnings, and with -v each step."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer

    def tell(self, event: Event) -> None:
        """Print the event if it is a retry or a warning."""
        if isinstance(event, Retrying):
            side = f"{event.side}: " if event.side else ""
            self._printer.warning(
                f"{side}{event.what} failed ({event.cause}); attempt {event.attempt} of "
                f"{event.attempts}, next in {event.delay:.1f} s"
            )
        elif isinstance(event, Warned):
            self._printer.warning(event.message)
        elif self._printer.verbose:
            self._detail(event)

    def _detail(self, event: Event) -> None:
        if isinstance(event, Resolved):
            self._printer.note(f"{event.source} is {event.root.digest}")
        elif isinstance(event, BlobStarted) and event.done:
            done = human_size(event.done)
            self._printer.note(f"resuming {event.blob.digest} after {done}")
        elif isinstance(event, BlobFinished):
            size = human_size(event.blob.size)
            self._printer.note(f"{event.target}: {event.outcome} {event.blob.digest} ({size})")
        elif isinstance(event, ManifestPut):
            self._printer.note(f"{event.target}: put manifest {event.reference}")


# A verification reads the same blob at both sides.
_Blob: TypeAlias = tuple[Side, Digest]


def _key(event: BlobStarted | BytesMoved | BlobFinished) -> _Blob:
    return event.side, event.blob.digest


class _Totals:
    """How much has been copied. A blob that is retried starts with the bytes that targets kept."""

    def __init__(self) -> None:
        self.blobs = 0
        self.size = 0
        self._moved: dict[_Blob, int] = {}
        self._finished: set[_Blob] = set()

    def take(self, event: Event) -> None:
        if isinstance(event, (Planned, Checking)):
            self.blobs, self.size = event.blobs, event.size
            self._moved.clear()
            self._finished.clear()
        elif isinstance(event, BlobStarted):
            self._moved[_key(event)] = event.done
        elif isinstance(event, BytesMoved):
            self._moved[_key(event)] += event.count
        elif isinstance(event, BlobFinished) and _key(event) in self._moved:
            self._finished.add(_key(event))

    @property
    def moved(self) -> int:
        return sum(self._moved.values())

    @property
    def finished(self) -> int:
        return len(self._finished)


class _Lines(_Warnings):
    """Prints a line at the start, then at most one every few seconds."""

    def __init__(self, printer: Printer) -> None:
        super().__init__(printer)
        self._lock = threading.Lock()
        self._totals = _Totals()
        self._next = time.monotonic() + _INTERVAL

    def tell(self, event: Event) -> None:
        """Print the line that is due, if any."""
        super().tell(event)
        with self._lock:
            self._totals.take(event)
            if isinstance(event, Planned):
                self._printer.note(
                    f"copying {event.blobs} blobs ({human_size(event.size)}) "
                    f"and {event.manifests} manifests"
                )
            elif isinstance(event, Checking):
                self._printer.note(f"reading {event.blobs} blobs back ({human_size(event.size)})")
            elif isinstance(event, BytesMoved) and time.monotonic() >= self._next:
                self._next = time.monotonic() + _INTERVAL
                totals = self._totals
                self._printer.note(
                    f"{human_size(totals.moved)} of {human_size(totals.size)}, "
                    f"{totals.finished} of {totals.blobs} blobs"
                )


class _Bars(_Warnings):
    """Draws a bar for the whole copy, and one for each large blob in transfer."""

    def __init__(self, printer: Printer, progress: Progress) -> None:
        super().__init__(printer)
        self._progress = progress
        self._lock = threading.Lock()
        self._totals = _Totals()
        self._whole: TaskID | None = None
        self._blobs: dict[_Blob, TaskID] = {}

    def tell(self, event: Event) -> None:
        """Update the bars."""
        if isinstance(event, (Retrying, Warned)) or self._printer.verbose:
            super().tell(event)
        with self._lock:
            self._totals.take(event)
            if isinstance(event, (Planned, Checking)):
                if self._whole is not None:
                    self._progress.remove_task(self._whole)
                word = "read back" if isinstance(event, Checking) else "blobs"
                self._whole = self._progress.add_task(f"{event.blobs} {word}", total=event.size)
            elif isinstance(event, BlobStarted):
                self._start(event)
            elif isinstance(event, BytesMoved):
                if _key(event) in self._blobs:
                    self._progress.advance(self._blobs[_key(event)], event.count)
                if self._whole is not None:
                    self._progress.update(self._whole, completed=self._totals.moved)
            elif isinstance(event, BlobFinished):
                self._finish(event)

    def _start(self, event: BlobStarted) -> None:
        blob = event.blob
        if blob.size < _OWN_BAR:
            return
        task = self._blobs.get(_key(event))
        if task is not None:
            self._progress.reset(task, completed=event.done)
            return
        self._blobs[_key(event)] = self._progress.add_task(
            f"  {blob.digest.encoded[:12]}", total=blob.size, completed=event.done
        )

    def _finish(self, event: BlobFinished) -> None:
        task = self._blobs.pop(_key(event), None)
        if task is not None:
            self._progress.remove_task(task)


class _JsonLines:
    """Prints one JSON object per event, for programs that show progress themselves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def tell(self, event: Event) -> None:
        """Print the event as JSON."""
        fields = {
            field.name: _plain(getattr(event, field.name)) for field in dataclasses.fields(event)
        }
        line = json.dumps({"event": type(event).__name__, **fields})
        with self._lock:
            print(line, file=sys.stderr, flush=True)


def _plain(value: object) -> object:
    return getattr(value, "digest", value)


def _bars() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
