"""One blob: from the source to every target that needs it, hashed on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import zip_longest

from regimport.engine.ends import Source, Target, Upload
from regimport.engine.reading import BlobReader
from regimport.engine.retrying import RetryContext
from regimport.engine.workers import fan_out
from regimport.errors import (
    BrokenTransfer,
    ContentMismatch,
    Interrupted,
    RegimportError,
    Side,
    Unreachable,
)
from regimport.models.descriptor import Descriptor
from regimport.models.pieces import without_first
from regimport.values import dataclass

__all__ = ["BlobMover", "Moved", "Outcome"]

# How many attempts at a blob in another way do not count as failures.
_MOST_ADAPTED = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a blob got to one target: moved, or mounted or present there; or why it did not."""

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
    retry: RetryContext

    def move(
        self,
        blob: Descriptor,
        targets: Sequence[Target],
        *,
        mounts: Sequence[str | None] = (),
        anew: bool = False,
    ) -> Moved:
        """Bring a blob to all of `targets`, reading it once unless something breaks.

        Where it does, only the targets that lack something are sent more, from the first byte
        that any of them lacks. `mounts` are the repositories from which each may mount it, if
        there are any; `anew` sends it even to those that claim to have it.
        """
        reader = BlobReader(blob, self.source, self.retry)
        uploads = [
            _TargetUpload(target, mount_from)
            for target, mount_from in zip_longest(targets, mounts[: len(targets)])
        ]
        try:
            while waiting := [upload for upload in uploads if upload.outcome is None]:
                for upload in waiting:
                    upload.open(blob, anew=anew)
                if failed := self._send(reader, [upload for upload in waiting if upload.session]):
                    self._wait(blob, failed)
        finally:
            for upload in uploads:
                if upload.session is not None:
                    upload.session.leave()
        outcomes = [upload.outcome for upload in uploads if upload.outcome is not None]
        return Moved(outcomes, reader.received)

    def _wait(
        self, blob: Descriptor, failed: Sequence[tuple[_TargetUpload, RegimportError]]
    ) -> None:
        """Wait for the target that failed most often, unless the next attempt is another."""
        upload, error = max(failed, key=lambda pair: pair[0].failures)
        attempt = max(1, upload.failures)
        adapted = isinstance(error, BrokenTransfer) and error.adapted
        delay = 0.0 if adapted else self.retry.policy.random_delay(attempt)
        self.retry.wait(f"blob {blob.digest}", attempt, error, delay)

    def _send(
        self, reader: BlobReader, uploads: Sequence[_TargetUpload]
    ) -> list[tuple[_TargetUpload, RegimportError]]:
        """Send what is missing to each; return those to be tried again, and why."""
        if not uploads:
            return []
        start = min(upload.offset for upload in uploads)
        with closing(reader.pieces(start)) as content:
            receivers = [upload.receiver(start) for upload in uploads]
            errors = fan_out(content, receivers)
        if self.retry.workers.stop.is_set() and any(errors):
            raise Interrupted
        if any(isinstance(error, ContentMismatch) for error in errors):
            reader.forget()
        again: list[tuple[_TargetUpload, RegimportError]] = []
        for upload, error in zip(uploads, errors, strict=True):
            cause = upload.settle(error, self.retry.policy.attempts)
            if cause is not None:
                again.append((upload, cause))
        return again


@dataclass(slots=True)
class _TargetUpload:
    """The upload of a blob to one target; `outcome` is None until it is there, or cannot be.

    `session` is the upload that is open at the target. `failures` counts those in a row after
    which the target had no more of the blob than before, `adapted` the attempts in another way.
    """

    target: Target
    mount_from: str | None = None
    session: Upload | None = None
    outcome: Outcome | None = None
    failures: int = 0
    furthest: int = 0
    adapted: int = 0
    mismatched: bool = False

    @property
    def offset(self) -> int:
        assert self.session is not None
        return self.session.offset

    def open(self, blob: Descriptor, *, anew: bool) -> None:
        """Start an upload, unless one is open; it may turn out that none is needed."""
        if self.session is not None:
            return
        try:
            self.session = self.target.start_upload(blob, mount_from=self.mount_from, anew=anew)
        except Exception as error:  # belongs to this target alone
            self.outcome = Outcome(error=error)
            return
        if self.session is None:
            self.outcome = Outcome()

    def receiver(self, start: int) -> Callable[[Iterator[bytes]], None]:
        """Return what takes the blob's bytes from `start` on; the first may be there already."""
        assert self.session is not None
        return partial(_receive, self.session, self.session.offset - start)

    def settle(self, error: BaseException | None, attempts: int) -> RegimportError | None:
        """Note how an attempt ended; return its error if there is to be another attempt."""
        assert self.session is not None
        if error is None:
            self.session, self.outcome = None, Outcome(moved=True)
            return None
        if isinstance(error, ContentMismatch) and not (self.mismatched or error.lasting):
            # Wrong content is read and sent again from its first byte, once.
            self.mismatched = True
            self._drop()
            return error
        if isinstance(error, BrokenTransfer) and error.side is not Side.SOURCE:
            return self._broken(error, attempts)
        self.outcome = Outcome(error=error)
        if isinstance(error, (Interrupted, Unreachable)):
            self.session.leave()
            self.session = None
        else:
            self._drop()
        return None

    def _broken(self, error: BrokenTransfer, attempts: int) -> RegimportError | None:
        assert self.session is not None
        kept = self.session.recover()
        if kept and self.session.offset > self.furthest:
            self.furthest = self.session.offset
            self.failures = 1
        elif error.adapted and self.adapted < _MOST_ADAPTED:
            self.adapted += 1
        else:
            self.failures += 1
        if self.failures >= attempts:
            error.attempts = self.failures
            self.outcome = Outcome(error=error)
            self.session.leave()
            self.session = None
            return None
        if not kept:
            self._drop()
        return error

    def _drop(self) -> None:
        if self.session is not None:
            self.session.cancel()
            self.session = None


def _receive(upload: Upload, known: int, content: Iterator[bytes]) -> None:
    upload.send(without_first(known, content) if known else content)
