"""One blob at the source: read from any byte on, hashed, and gone on with where it broke off."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager

from regimport.engine.ends import Source
from regimport.engine.retrying import RetryContext
from regimport.errors import BrokenTransfer, ContentMismatch, Interrupted, Side
from regimport.events import BlobStarted, BytesMoved
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Verifier

__all__ = ["BlobReader"]

# How far apart, in bytes, the states of the hash are that are kept at first; and how many are
# kept before every other one is dropped, so that they take no more memory for a larger blob.
_INTERVAL = 8 * 1024**2
_MOST_MARKS = 64


class BlobReader:
    """Reads a blob as often as it takes, from where it has to be; `received` counts the bytes.

    Along the way it keeps states of the hash, so that what a target lacks can be read again
    without all that came before.
    """

    def __init__(
        self, blob: Descriptor, source: Source, retry: RetryContext, side: Side = Side.SOURCE
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
        """Give the bytes from `start` on, the last piece only when the hash of all is right.

        So a source that lies can never complete a blob at a target. Where the bytes before
        `start` were sent by an earlier run, nobody here has their hash: then the target's own
        check of the digest has to do. Raises `ContentMismatch`, and what the source raises.
        """
        blob = self._blob
        self._retry.reporter.tell(BlobStarted(blob, start, self._side))
        if start and start == blob.size:
            return
        verifier = self._verifier(start)
        unwanted = start - verifier.received
        # Closed here: a traceback may keep this generator, and with it a connection.
        with closing(self._unbroken(verifier.received)) as pieces:
            yield from self._checked(verifier, pieces, unwanted)

    def _checked(
        self, verifier: Verifier, pieces: Iterator[bytes], unwanted: int
    ) -> Iterator[bytes]:
        """Hash what comes, and give what follows the first `unwanted` bytes."""
        blob = self._blob
        for piece in pieces:
            if self._retry.workers.stop.is_set():
                raise Interrupted
            with self._at_source():
                verifier.update(piece)
            wanted = piece[unwanted:]
            unwanted = max(0, unwanted - len(piece))
            self._retry.reporter.tell(BytesMoved(blob, len(wanted), self._side))
            self._mark(verifier)
            if verifier.complete:
                last = bytes(wanted)
                with self._at_source():
                    if any(pieces):
                        raise verifier.too_long("more")
                    verifier.check()
                if last:
                    yield last
                return
            if wanted:
                yield wanted
        with self._at_source():
            verifier.check()

    def _verifier(self, start: int) -> Verifier:
        """Give the nearest state of the hash at or before `start`."""
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
        """Give the bytes from `position` on, asking for the rest as often as they break off."""
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
            # Whoever moves on, be it slowly, gets there.
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
