"""Reads a blob from the source, hashes it, and goes on where the connection broke."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial

from regimport.engine.ends import BlobSource
from regimport.engine.retrying import RetryContext
from regimport.engine.streams import SecondThread
from regimport.errors import BrokenTransfer, ContentMismatch, Interrupted, Side
from regimport.events import BlobStarted, BytesMoved
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Verifier

__all__ = ["BlobReader"]

# How far apart, in bytes, the states of the hash are that are kept at first; and how many are
# kept before every other one is dropped, so that they take no more memory for a larger blob.
_INTERVAL = 8 * 1024**2
_MOST_MARKS = 64
# From this size on, in bytes, a blob is hashed in a second thread while its pieces are sent;
# smaller pieces are hashed faster than they are handed over.
_LARGE = 64 * 1024**2
_LEAST_HANDED_OVER = 64 * 1024
# How many pieces may wait for their hash at most, should they be valid so long. One in a buffer
# that is used again is not: it is hashed while it is sent, before the next one is read.
_MOST_PENDING = 3


class BlobReader:
    """Reads a blob, several times if need be; `received` counts the bytes of all readings.

    It keeps states of the hash on the way, so that the rest of a blob can be read again without
    the bytes before it.
    """

    def __init__(
        self, blob: Descriptor, source: BlobSource, retry: RetryContext, side: Side = Side.SOURCE
    ) -> None:
        self.received = 0
        self._side = side
        self._blob = blob
        self._source = source
        self._retry = retry
        self.forget()

    def forget(self) -> None:
        """Trust nothing of what was read: the next reading hashes from the first byte."""
        self._marks = [Verifier(self._blob.digest, self._blob.size)]
        self._interval = _INTERVAL
        self._hashed = 0

    def pieces(self, start: int = 0) -> Generator[bytes, None, None]:
        """Yield the bytes from `start` on, the last piece only once the hash of all is right.

        So a source that lies can never complete a blob at a target. If the bytes before `start`
        were sent by an earlier run, their hash is unknown, and the target's own check of the
        digest must do. Raise `ContentMismatch`, and what the source raises.
        """
        blob = self._blob
        self._retry.reporter.tell(BlobStarted(blob, start, self._side))
        if start and start == blob.size:
            return
        verifier = self._verifier(start)
        unwanted = start - verifier.received
        with ExitStack() as stack:
            # Closed here: a traceback may keep this generator, and with it a connection.
            pieces = stack.enter_context(closing(self._unbroken(verifier.received)))
            second: SecondThread | None = None
            if blob.size >= _LARGE and not verifier.unseen:
                # Closed before the pieces are, whose buffer it may be reading.
                second = stack.enter_context(closing(SecondThread()))
            yield from self._checked(verifier, pieces, unwanted, second)

    def _checked(
        self,
        verifier: Verifier,
        pieces: Iterator[bytes],
        unwanted: int,
        second: SecondThread | None,
    ) -> Iterator[bytes]:
        """Hash the pieces, in the second thread if there is one; yield all but `unwanted` bytes."""
        position = verifier.received
        for piece in pieces:
            if self._retry.workers.stop.is_set():
                raise Interrupted
            position += len(piece)
            if second is None or position >= self._blob.size or len(piece) < _LEAST_HANDED_OVER:
                if second is not None:
                    second.wait()
                self._hash(verifier, piece)
            else:
                second.submit(partial(self._hash, verifier, piece))
            wanted = piece[unwanted:]
            unwanted = max(0, unwanted - len(piece))
            self._retry.reporter.tell(BytesMoved(self._blob, len(wanted), self._side))
            if position == self._blob.size:
                last = bytes(wanted)
                self._check_end(verifier, pieces)
                if last:
                    yield last
                return
            if wanted:
                yield wanted
            if second is not None:
                second.wait(_MOST_PENDING if _lasts(piece) else 0)
        with self._at_source():
            verifier.check()

    def _hash(self, verifier: Verifier, piece: bytes) -> None:
        with self._at_source():
            verifier.update(piece)
        self._mark(verifier)

    def _check_end(self, verifier: Verifier, pieces: Iterator[bytes]) -> None:
        """Raise `ContentMismatch` unless nothing more comes and the hash is right."""
        with self._at_source():
            if any(pieces):
                raise verifier.too_long("more")
            verifier.check()

    def _verifier(self, start: int) -> Verifier:
        """Return the nearest state of the hash at or before `start`."""
        if start > self._hashed:
            return Verifier(self._blob.digest, self._blob.size, unseen=start)
        return next(mark for mark in reversed(self._marks) if mark.received <= start).copy()

    def _mark(self, verifier: Verifier) -> None:
        """Keep the state of the hash, if it is far enough from the last one that is kept."""
        if verifier.unseen:
            return
        self._hashed = max(self._hashed, verifier.received)
        if verifier.received < self._marks[-1].received + self._interval:
            return
        self._marks.append(verifier.copy())
        if len(self._marks) > _MOST_MARKS:
            self._marks = self._marks[::2]
            self._interval *= 2

    def _unbroken(self, position: int) -> Generator[bytes, None, None]:
        """Yield the bytes from `position` on, asking for the rest when the connection breaks."""
        failures = 0
        while True:
            error: BrokenTransfer | None = None
            before = position
            try:
                with self._source.read_blob(self._blob, position) as pieces:
                    for piece in pieces:
                        position += len(piece)
                        self.received += len(piece)
                        yield piece
            except BrokenTransfer as broken:
                error = broken
            if position >= self._blob.size:
                return
            if error is None:
                error = BrokenTransfer(
                    f"{self._blob.digest} ended after {position} of {self._blob.size} bytes"
                )
            error.located(self._side, self._source.name)
            # A source that brings more each time, however little, is not given up.
            failures = 1 if position > before else failures + 1
            if failures >= self._retry.policy.attempts:
                error.attempts = failures
                raise error
            delay = self._retry.policy.random_delay(failures)
            self._retry.wait(f"blob {self._blob.digest}", failures, error, delay)

    @contextmanager
    def _at_source(self) -> Iterator[None]:
        try:
            yield
        except ContentMismatch as error:
            error.located(self._side, self._source.name)
            raise


def _lasts(piece: object) -> bool:
    """Whether a piece keeps its content when the next one is read."""
    return isinstance(piece, bytes)
