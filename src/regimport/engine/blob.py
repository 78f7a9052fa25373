"""One blob: from the source to every target that needs it, hashed on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import zip_longest

from regimport.engine.ends import BlobSource, Source, Target, Upload
from regimport.engine.reading import BlobReader
from regimport.engine.retrying import RetryContext
from regimport.engine.streams import fan_out
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

# How many switches to another upload method do not count as failures: whole, or smaller chunks.
_MAX_METHOD_CHANGES = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a blob arrived at one target: moved, or mounted or present there; or the error."""

    moved: bool = False
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """The result of moving a blob: its outcome at each target, and the bytes read at the source."""

    outcomes: list[Outcome]
    bytes_read: int


@dataclass(frozen=True, slots=True)
class BlobMover:
    """Moves blobs from `source`, and resumes or restarts a transfer that breaks.

    Blobs that have URLs are read from `external`, which opens these, if there is one.
    """

    source: Source
    retry: RetryContext
    external: BlobSource | None = None

    def move(
        self,
        blob: Descriptor,
        targets: Sequence[Target],
        *,
        mounts: Sequence[str | None] = (),
        force: bool = False,
    ) -> Moved:
        """Copy a blob to all of `targets`, reading it once unless a transfer breaks.

        After a break, only the incomplete targets are sent more, from the first byte that any of
        them lacks. `mounts` are the repositories from which each may mount it, if any; `force`
        sends it even to those that claim to have it.
        """
        elsewhere = self.external if blob.urls else None
        reader = BlobReader(blob, elsewhere or self.source, self.retry)
        uploads = [
            _TargetUpload(target, mount_from)
            for target, mount_from in zip_longest(targets, mounts[: len(targets)])
        ]
        try:
            while waiting := [upload for upload in uploads if upload.outcome is None]:
                for upload in waiting:
                    upload.open(blob, force=force)
                if failed := self._send(reader, [upload for upload in waiting if upload.upload]):
                    self._wait(blob, failed)
        finally:
            for upload in uploads:
                if upload.upload is not None:
                    upload.upload.leave()
        outcomes = [upload.outcome for upload in uploads if upload.outcome is not None]
        return Moved(outcomes, reader.received)

    def _wait(
        self, blob: Descriptor, failed: Sequence[tuple[_TargetUpload, RegimportError]]
    ) -> None:
        """Back off by the highest failure count, but not before another upload method is tried."""
        upload, error = max(failed, key=lambda pair: pair[0].failures)
        attempt = max(1, upload.failures)
        adapted = isinstance(error, BrokenTransfer) and error.adapted
        delay = 0.0 if adapted else self.retry.policy.random_delay(attempt)
        self.retry.wait(f"blob {blob.digest}", attempt, error, delay)

    def _send(
        self, reader: BlobReader, uploads: Sequence[_TargetUpload]
    ) -> list[tuple[_TargetUpload, RegimportError]]:
        """Send the missing bytes to each; return those to retry, with the error."""
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
            cause = upload.record_result(error, self.retry.policy.attempts)
            if cause is not None:
                again.append((upload, cause))
        return again


@dataclass(slots=True)
class _TargetUpload:
    """The upload of a blob to one target; `outcome` is None until it has arrived or failed.

    `upload` is the upload session that is open at the target. `failures` counts consecutive
    failures without progress, the first one included; `method_changes` the switches to another
    upload method.
    """

    target: Target
    mount_from: str | None = None
    upload: Upload | None = None
    outcome: Outcome | None = None
    failures: int = 0
    furthest: int = 0
    method_changes: int = 0
    mismatched: bool = False

    @property
    def offset(self) -> int:
        assert self.upload is not None
        return self.upload.offset

    def open(self, blob: Descriptor, *, force: bool) -> None:
        """Start an upload unless one is open; the target may turn out to have the blob."""
        if self.upload is not None:
            return
        try:
            self.upload = self.target.start_upload(blob, mount_from=self.mount_from, anew=force)
        except Exception as error:  # belongs to this target alone
            self.outcome = Outcome(error=error)
            return
        if self.upload is None:
            self.outcome = Outcome()

    def receiver(self, start: int) -> Callable[[Iterator[bytes]], None]:
        """Return a function that sends the blob's bytes from `start` on, without those present."""
        assert self.upload is not None
        return partial(_send_rest, self.upload, self.upload.offset - start)

    def record_result(self, error: BaseException | None, attempts: int) -> RegimportError | None:
        """Record the result of an attempt; return its error if there will be another attempt."""
        assert self.upload is not None
        if error is None:
            self.upload, self.outcome = None, Outcome(moved=True)
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
        elif error.adapted and self.method_changes < _MAX_METHOD_CHANGES:
            self.method_changes += 1
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


def _send_rest(upload: Upload, known: int, content: Iterator[bytes]) -> None:
    upload.send(without_first(known, content) if known else content)
