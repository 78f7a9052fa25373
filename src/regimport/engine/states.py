"""How far a transfer is: at each target, and in bytes read; shared by threads."""

from __future__ import annotations

import threading
from dataclasses import replace

from regimport.engine.steps import Action, Plan
from regimport.engine.tally import Tally
from regimport.engine.target import Status, TargetCopy
from regimport.errors import RegimportError
from regimport.models.digest import Digest

__all__ = ["ReadCount", "TargetState"]

# Steps that need no work at a target.
_NO_WORK = frozenset({Action.PRESENT, Action.SKIP})


class ReadCount:
    """Counts the bytes of blobs that were read from the source, by several threads."""

    def __init__(self) -> None:
        self.total = 0
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        """Count `size` bytes more."""
        with self._lock:
            self.total += size


class TargetState:
    """The progress of a transfer at one target; shared by threads."""

    def __init__(self, copy: TargetCopy, plan: Plan) -> None:
        self.copy = copy
        self.plan = plan
        # What was put, and is listed by the target itself if it refers to something.
        self.acknowledged: set[Digest] = set()
        self._tally = Tally.of(plan, _NO_WORK)
        self._error: RegimportError | None = None
        self._unconfirmed: set[str] = set()
        self._backups: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    @property
    def failed(self) -> bool:
        """Whether the target has failed: nothing more is to be written there."""
        return self._error is not None

    def fail(self, error: BaseException) -> None:
        """Keep the first error of the target; re-raise anything that is not a `RegimportError`."""
        if not isinstance(error, RegimportError):
            raise error
        with self._lock:
            self._error = self._error or error

    def add_blob(self, action: Action, size: int) -> None:
        """Count a blob that has reached the target."""
        with self._lock:
            self._tally = self._tally.with_blob(action, size)

    def add_manifest(self) -> None:
        """Count a manifest that was put."""
        with self._lock:
            self._tally = self._tally.with_manifest(Action.COPY)

    def add_unconfirmed(self, reference: str) -> None:
        """Note a reference that was put, and that the target does not show."""
        self._unconfirmed.add(reference)

    def add_backup(self, tag: str, name: str) -> None:
        """Note that the old image of a tag is kept under another one."""
        self._backups.append((tag, name))

    def result(self) -> TargetCopy:
        """Return the copy as it ended."""
        # A tag that was there stays there, whatever has come to belong to it, unless it was mended.
        mended = self.copy.examined and self._tally.has_moved
        done = Status.COPIED if self.copy.pending or mended else self.copy.status
        status = done if self._error is None else Status.FAILED
        return replace(
            self.copy,
            status=status,
            tally=self._tally,
            error=self._error,
            unconfirmed=frozenset(self._unconfirmed),
            backups=tuple(self._backups),
        )
