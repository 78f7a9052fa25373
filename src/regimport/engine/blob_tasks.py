"""Brings each blob to all targets that lack it: sent once to a registry, mounted there after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from regimport.engine.blob import BlobMover, Outcome
from regimport.engine.known import KnownBlobs, registry_of
from regimport.engine.repair import make_whole
from regimport.engine.states import ReadCount, TargetState
from regimport.engine.steps import Action
from regimport.engine.tasks import Task
from regimport.errors import RegimportError
from regimport.events import BlobFinished
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest

__all__ = ["BlobTasks"]

_MOVING = frozenset({Action.COPY, Action.MOUNT})


class BlobTasks:
    """The tasks that bring each blob to all the targets that lack it."""

    def __init__(
        self,
        mover: BlobMover,
        states: Sequence[TargetState],
        counts: ReadCount,
        known: KnownBlobs,
    ) -> None:
        self._mover = mover
        self._states = states
        self._counts = counts
        self._known = known

    def tasks(self) -> Iterator[Task]:
        """Yield a task for every blob that any target lacks.

        Copies that run beside each other move a blob one after the other: what one of them has
        sent, the next need not. Where nobody knows whether a registry mounts blobs, a small one
        goes first: should it refuse, only that one is read twice.
        """
        wanted: dict[Digest, tuple[Descriptor, list[TargetState]]] = {}
        for state in self._states:
            for step in state.plan.blobs:
                if step.action in _MOVING:
                    blob = step.descriptor
                    wanted.setdefault(blob.digest, (blob, []))[1].append(state)
        trial = frozenset(self._trial(wanted.values()))
        for blob, states in wanted.values():
            yield Task(
                blob.digest,
                partial(self._move, blob, states),
                trial - {blob.digest},
                weight=blob.size,
                alone=("blob", blob.digest),
            )

    def _trial(self, wanted: Iterable[tuple[Descriptor, Sequence[TargetState]]]) -> list[Digest]:
        """Return the smallest blob for several repositories of a registry not tried, if any."""
        tests: list[tuple[int, Digest]] = []
        for blob, states in wanted:
            names = [state.copy.name for state in states if state.copy.mount_from is None]
            registries = [registry_of(name) for name in names if self._known.untried(name)]
            if len(set(registries)) < len(registries):
                tests.append((blob.size, blob.digest))
        return [digest for _, digest in sorted(tests)[:1]]

    def _move(self, blob: Descriptor, states: Sequence[TargetState]) -> None:
        """Send a blob to one repository of each registry, and then mount it into the others."""
        while remaining := [state for state in states if not state.failed]:
            lacking = []
            for state in remaining:
                if self._known.has(state.copy.name, blob.digest):
                    self._arrived(state, blob, Action.PRESENT, "present")
                else:
                    lacking.append(state)
            mounts = [self._mount_source(state, blob) for state in lacking]
            first, states = self._first_round(lacking, mounts)
            if first:
                self._send(blob, first)

    def _mount_source(self, state: TargetState, blob: Descriptor) -> str | None:
        return self._known.mountable(state.copy.name, blob.digest) or state.copy.mount_from

    def _first_round(
        self, states: Sequence[TargetState], mounts: Sequence[str | None]
    ) -> tuple[list[tuple[TargetState, str | None]], list[TargetState]]:
        """Return the targets to go to now, with what each mounts from, and those to go to later.

        The latter can mount from one of the former then.
        """
        now: list[tuple[TargetState, str | None]] = []
        later: list[TargetState] = []
        sent_to: set[str | None] = set()
        for state, mount_from in zip(states, mounts, strict=True):
            name = state.copy.name
            if mount_from is None and self._known.mounts(name):
                if registry_of(name) in sent_to:
                    later.append(state)
                    continue
                sent_to.add(registry_of(name))
            now.append((state, mount_from))
        return now, later

    def _send(self, blob: Descriptor, targets: Sequence[tuple[TargetState, str | None]]) -> None:
        moved = self._mover.move(
            blob,
            [state.copy.end for state, _ in targets],
            mounts=[mount_from for _, mount_from in targets],
        )
        self._counts.add(moved.bytes_read)
        for (state, mount_from), outcome in zip(targets, moved.outcomes, strict=True):
            if outcome.error is not None:
                state.fail(outcome.error)
                self._tell(state, blob, "failed")
                continue
            if mount_from not in {None, state.copy.mount_from}:
                self._known.tried(state.copy.name, mounted=not outcome.moved)
            self._arrived(state, blob, *_arrival(outcome, mount_from))

    def _arrived(self, state: TargetState, blob: Descriptor, action: Action, word: str) -> None:
        if state.copy.examined and state.copy.holds_parts:
            try:
                self._counts.add(make_whole(self._mover, state.copy.end, blob))
            except RegimportError as error:
                state.fail(error)
                self._tell(state, blob, "failed")
                return
        self._known.add(state.copy.name, blob.digest)
        state.add_blob(action, blob.size)
        self._tell(state, blob, word)

    def _tell(self, state: TargetState, blob: Descriptor, word: str) -> None:
        self._mover.retry.reporter.tell(BlobFinished(blob, word, state.copy.name))


def _arrival(outcome: Outcome, mount_from: str | None) -> tuple[Action, str]:
    """Return how a blob arrived: copied, mounted, or found present at the start of its upload."""
    if outcome.moved:
        return Action.COPY, "copied"
    if mount_from is not None:
        return Action.MOUNT, "mounted"
    return Action.PRESENT, "present"
