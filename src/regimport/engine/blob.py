"""One blob: from the source to every target that needs it, hashed on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest

from regimport.engine.ends import Source, Target, Upload
from regimport.engine.reading import BlobReader, Patience
from regimport.engine.workers import Workers, fan_out
from regimport.errors import (
    BrokenTransfer,
    ContentMismatch,
    Interrupted,
    RegimportError,
    Side,
    Unreachable,
)
from regimport.events import Reporter
from regimport.models.descriptor import Descriptor
from regimport.options import RetryPolicy

__all__ = ["BlobMover", "Moved", "Outcome"]

# How often a blob may be gone about in another way before that counts as a failure.
_MOST_ADAPTED = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a blob got to one target: moved or taken over there; or the error why not."""

    moved: bool = False
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of a blob: its outcome at each target, and how much of it the source served."""

    outcomes: list[Outcome]
    bytes_read: int


@dataclass(frozen=True, slots=True)
class BlobMover:
    """Moves blobs from `source`, and goes on, or starts over, where a transfer breaks."""

    source: Source
    retry: RetryPolicy
    workers: Workers
    reporter: Reporter

    def move(
        self,
        blob: Descriptor,
        targets: Sequence[Target],
        *,
        mounts: Sequence[str | None] = (),
        anew: bool = False,
    ) -> Moved:
        """Bring a blob to all of `targets`, reading it once unless something breaks.

        Where it does, only the targets that lack something are sent more, from where the one
        that has least of it stands. `mounts` are the repositories from which each may take it
        over, if there are any; `anew` sends it even to those that claim to have it.
        """
        patience = Patience(self.retry, self.workers, self.reporter)
        reader = BlobReader(blob, self.source, patience)
        shipments = [
            _Shipment(target, mount_from)
            for target, mount_from in zip_longest(targets, mounts[: len(targets)])
        ]
        try:
            while waiting := [one for one in shipments if one.outcome is None]:
                for shipment in waiting:
                    shipment.open(blob, anew=anew)
                if failed := self._send(reader, [one for one in waiting if one.upload]):
                    shipment, error = max(failed, key=lambda pair: pair[0].failures)
                    patience.wait(blob, max(1, shipment.failures), error)
        finally:
            for shipment in shipments:
                if shipment.upload is not None:
                    shipment.upload.leave()
        outcomes = [one.outcome for one in shipments if one.outcome is not None]
        return Moved(outcomes, reader.received)

    def _send(
        self, reader: BlobReader, shipments: Sequence[_Shipment]
    ) -> list[tuple[_Shipment, RegimportError]]:
        """Send what is missing to each; gives those to be tried again, and why."""
        if not shipments:
            return []
        start = min(shipment.offset for shipment in shipments)
        with closing(reader.pieces(start)) as content:
            receivers = [shipment.receiver(start) for shipment in shipments]
            errors = fan_out(content, receivers)
        if self.workers.stop.is_set() and any(errors):
            raise Interrupted
        if any(isinstance(error, ContentMismatch) for error in errors):
            reader.forget()
        again: list[tuple[_Shipment, RegimportError]] = []
        for shipment, error in zip(shipments, errors, strict=True):
            cause = shipment.settle(error, self.retry.attempts)
            if cause is not None:
                again.append((shipment, cause))
        return again


@dataclass(slots=True)
class _Shipment:
    """A blob on its way to one target: `outcome` is None until it is there, or never will be.

    `failures` counts those in a row that brought nothing more to the target than it had.
    """

    target: Target
    mount_from: str | None = None
    upload: Upload | None = None
    outcome: Outcome | None = None
    failures: int = 0
    furthest: int = 0
    adapted: int = 0
    mismatched: bool = False

    @property
    def offset(self) -> int:
        assert self.upload is not None
        return self.upload.offset

    def open(self, blob: Descriptor, *, anew: bool) -> None:
        """Start an upload, unless one is open; it may turn out that none is needed."""
        if self.upload is not None:
            return
        try:
            self.upload = self.target.start_upload(blob, mount_from=self.mount_from, anew=anew)
        except Exception as error:  # belongs to this target alone
            self.outcome = Outcome(error=error)
            return
        if self.upload is None:
            self.outcome = Outcome()

    def receiver(self, start: int) -> Callable[[Iterator[bytes]], None]:
        """Give what takes a blob's bytes from `start` on, of which the first may be there."""
        assert self.upload is not None
        return partial(_receive, self.upload, self.upload.offset - start)

    def settle(self, error: BaseException | None, attempts: int) -> RegimportError | None:
        """Draw the consequences of an attempt; gives the error if there is to be another one."""
        assert self.upload is not None
        if error is None:
            self.upload, self.outcome = None, Outcome(moved=True)
            return None
        if isinstance(error, ContentMismatch) and not (self.mismatched or error.lasting):
            # What is not what it should be is read and sent again from its first byte, once.
            self.mismatched = True
            self._drop()
            return error
        if isinstance(error, BrokenTransfer) and error.side is not Side.SOURCE:
            return self._broken(error, attempts)
        self.outcome = Outcome(error=error)
        if isinstance(error, (Interrupted, Unreachable)):
            self.upload.leave()
            self.upload = None
        else:
            self._drop()
        return None

    def _broken(self, error: BrokenTransfer, attempts: int) -> RegimportError | None:
        assert self.upload is not None
        kept = self.upload.recover()
        if kept and self.upload.offset > self.furthest:
            self.furthest = self.upload.offset
            self.failures = 1
        elif error.adapted and self.adapted < _MOST_ADAPTED:
            self.adapted += 1
        else:
            self.failures += 1
        if self.failures >= attempts:
            error.attempts = self.failures
            self.outcome = Outcome(error=error)
            self.upload.leave()
            self.upload = None
            return None
        if not kept:
            self._drop()
        return error

    def _drop(self) -> None:
        if self.upload is not None:
            self.upload.cancel()
            self.upload = None


def _receive(upload: Upload, known: int, content: Iterator[bytes]) -> None:
    upload.send(_without(known, content) if known else content)


def _without(count: int, content: Iterator[bytes]) -> Iterator[bytes]:
    """Leave out the first `count` bytes."""
    for piece in content:
        if count < len(piece):
            yield piece[count:]
        count = max(0, count - len(piece))
