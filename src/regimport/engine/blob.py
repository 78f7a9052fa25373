"""One blob: from the source to every target that needs it, hashed on the way."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from regimport.engine.ends import Source, Target, Upload
from regimport.engine.workers import Workers, fan_out
from regimport.errors import BrokenTransfer, ContentMismatch, Interrupted, Side
from regimport.events import BlobStarted, BytesMoved, Reporter, Retrying
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Verifier
from regimport.options import RetryPolicy

__all__ = ["BlobMover", "Outcome"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a blob got to one target: moved or taken over there; or the error why not."""

    moved: bool = False
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class BlobMover:
    """Moves blobs from `source`, and starts one over where its transfer breaks."""

    source: Source
    retry: RetryPolicy
    workers: Workers
    reporter: Reporter

    def move(
        self, blob: Descriptor, targets: Sequence[Target], *, mount_from: str | None = None
    ) -> list[Outcome]:
        """Bring a blob to all of `targets`, reading it once; gives the outcome at each.

        Only the targets whose transfer broke are tried again, with another read of the source.
        """
        outcomes = self._attempt(blob, targets, mount_from)
        for attempt in range(1, self.retry.attempts):
            broken = [number for number, outcome in enumerate(outcomes) if _broken(outcome)]
            if not broken:
                break
            self._wait(blob, attempt, outcomes[broken[0]].error)
            again = self._attempt(blob, [targets[number] for number in broken], mount_from)
            for number, outcome in zip(broken, again, strict=True):
                outcomes[number] = outcome
        return outcomes

    def _attempt(
        self, blob: Descriptor, targets: Sequence[Target], mount_from: str | None
    ) -> list[Outcome]:
        """Try once: open the uploads, then send the blob to those that want it."""
        outcomes: list[Outcome] = []
        uploads: list[tuple[int, Upload]] = []
        for number, target in enumerate(targets):
            outcome, upload = _start(target, blob, mount_from)
            outcomes.append(outcome)
            if upload is not None:
                uploads.append((number, upload))
        if not uploads:
            return outcomes
        errors = self._send(blob, [upload for _, upload in uploads])
        for (number, upload), error in zip(uploads, errors, strict=True):
            if error is not None:
                upload.cancel()
            outcomes[number] = Outcome(moved=error is None, error=error)
        return outcomes

    def _send(self, blob: Descriptor, uploads: Sequence[Upload]) -> list[BaseException | None]:
        self.reporter.tell(BlobStarted(blob))
        try:
            with self.source.read_blob(blob) as pieces:
                content = self._checked(blob, pieces)
                return fan_out(content, [upload.send for upload in uploads])
        except Exception as error:  # the source failed: no target has got the blob
            return [error] * len(uploads)

    def _checked(self, blob: Descriptor, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Pass a blob on piece by piece, the last one only when the hash of all is right.

        So a source that lies can never complete a blob at a target.
        """
        verifier = Verifier(blob.digest, blob.size)
        for piece in pieces:
            if self.workers.stop.is_set():
                raise Interrupted
            with self._at_source():
                verifier.update(piece)
            self.reporter.tell(BytesMoved(blob, len(piece)))
            if verifier.complete:
                last = bytes(piece)
                with self._at_source():
                    _expect_end(blob, pieces)
                    verifier.check()
                yield last
                return
            yield piece
        if not verifier.complete:
            raise BrokenTransfer(
                f"{blob.digest} ended after {verifier.received} of {blob.size} bytes"
            ).located(Side.SOURCE, self.source.name)
        with self._at_source():
            verifier.check()

    @contextmanager
    def _at_source(self) -> Iterator[None]:
        try:
            yield
        except ContentMismatch as error:
            error.located(Side.SOURCE, self.source.name)
            raise

    def _wait(self, blob: Descriptor, attempt: int, cause: BaseException | None) -> None:
        delay = self.retry.delay(attempt, jitter=random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        side = cause.side if isinstance(cause, BrokenTransfer) else None
        self.reporter.tell(
            Retrying(side, f"blob {blob.digest}", str(cause), attempt, self.retry.attempts, delay)
        )
        self.workers.pause(delay)


def _start(
    target: Target, blob: Descriptor, mount_from: str | None
) -> tuple[Outcome, Upload | None]:
    try:
        return Outcome(), target.start_upload(blob, mount_from=mount_from)
    except Exception as error:  # belongs to this target alone
        return Outcome(error=error), None


def _broken(outcome: Outcome) -> bool:
    return isinstance(outcome.error, BrokenTransfer)


def _expect_end(blob: Descriptor, pieces: Iterator[bytes]) -> None:
    for piece in pieces:
        if piece:
            raise ContentMismatch(
                f"{blob.digest} is longer than the {blob.size} bytes its descriptor says",
                expected=f"{blob.size} bytes",
                got="more",
            )
