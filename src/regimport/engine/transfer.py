"""Carries out the plans: blobs first, each manifest when its content is there, tags last."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from regimport.engine.blob import BlobMover, Outcome
from regimport.engine.ends import Source
from regimport.engine.publish import Publisher
from regimport.engine.retrying import RetryContext
from regimport.engine.steps import Action, Plan, Step
from regimport.engine.tally import Tally
from regimport.engine.target import Status, TargetCopy
from regimport.engine.tasks import Task
from regimport.engine.walk import Graph
from regimport.errors import RegimportError
from regimport.events import BlobFinished, ManifestPut, Planned
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.values import dataclass

__all__ = ["Transfer", "transfer"]

# Steps that need no work at a target.
_NO_WORK = frozenset({Action.PRESENT, Action.SKIP})
_MOVING = frozenset({Action.COPY, Action.MOUNT})


@dataclass(frozen=True, slots=True)
class Transfer:
    """The result of a transfer: the targets, copied or failed, and the bytes read at the source."""

    targets: tuple[TargetCopy, ...]
    bytes_read: int


def transfer(
    source: Source, graph: Graph, targets: Sequence[TargetCopy], retry: RetryContext
) -> Transfer:
    """Carry out the targets' plans, several steps at once, and return the result.

    The failure of a target does not stop the others. At each target the root is put last, once for
    each tag, when everything below it is there.
    """
    counts = _ReadCount()
    states = [_TargetState(target, target.plan) for target in targets if target.plan is not None]
    mover = BlobMover(source, retry)
    publisher = Publisher(mover, graph.content(), counts.add)
    blobs = _BlobTasks(mover, states, counts)
    manifests = _ManifestTasks(publisher, graph, states)
    retry.reporter.tell(_planned(states))
    retry.workers.run([*blobs.tasks(), *manifests.tasks()])
    return Transfer(tuple(state.result() for state in states), counts.total)


def _planned(states: Sequence[_TargetState]) -> Planned:
    """Return the work to be done; each blob is read once for all targets."""
    moving = {
        step.descriptor.digest: step.descriptor.size
        for state in states
        for step in state.plan.blobs
        if step.action is Action.COPY
    }
    manifests = [step for state in states for step in _to_copy(state.plan.manifests)]
    return Planned(len(moving), sum(moving.values()), len(manifests))


def _to_copy(steps: Sequence[Step]) -> Iterator[Step]:
    return (step for step in steps if step.action is Action.COPY)


class _ReadCount:
    """Counts the bytes of blobs that were read from the source, by several threads."""

    def __init__(self) -> None:
        self.total = 0
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        """Count `size` bytes more."""
        with self._lock:
            self.total += size


class _TargetState:
    """The progress of a transfer at one target; shared by threads."""

    def __init__(self, copy: TargetCopy, plan: Plan) -> None:
        self.copy = copy
        self.plan = plan
        self._tally = Tally.of(plan, _NO_WORK)
        self._error: RegimportError | None = None
        self._unconfirmed: set[str] = set()
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

    def result(self) -> TargetCopy:
        """Return the copy as it ended."""
        status = Status.COPIED if self._error is None else Status.FAILED
        return replace(
            self.copy,
            status=status,
            tally=self._tally,
            error=self._error,
            unconfirmed=frozenset(self._unconfirmed),
        )


class _BlobTasks:
    """The tasks that bring each blob to all the targets that lack it."""

    def __init__(
        self, mover: BlobMover, states: Sequence[_TargetState], counts: _ReadCount
    ) -> None:
        self._mover = mover
        self._states = states
        self._counts = counts

    def tasks(self) -> Iterator[Task]:
        """Yield a task for every blob that any target lacks."""
        wanted: dict[Digest, tuple[Descriptor, list[_TargetState]]] = {}
        for state in self._states:
            for step in state.plan.blobs:
                if step.action in _MOVING:
                    blob = step.descriptor
                    wanted.setdefault(blob.digest, (blob, []))[1].append(state)
        for blob, states in wanted.values():
            yield Task(blob.digest, partial(self._move, blob, states), weight=blob.size)

    def _move(self, blob: Descriptor, states: Sequence[_TargetState]) -> None:
        remaining = [state for state in states if not state.failed]
        moved = self._mover.move(
            blob,
            [state.copy.end for state in remaining],
            mounts=[state.copy.mount_from for state in remaining],
        )
        self._counts.add(moved.bytes_read)
        for state, outcome in zip(remaining, moved.outcomes, strict=True):
            if outcome.error is not None:
                state.fail(outcome.error)
                word = "failed"
            else:
                action, word = _arrival(state.copy, outcome)
                state.add_blob(action, blob.size)
            self._mover.retry.reporter.tell(BlobFinished(blob, word, state.copy.name))


def _arrival(copy: TargetCopy, outcome: Outcome) -> tuple[Action, str]:
    """Return how a blob arrived: copied, mounted, or found present at the start of its upload."""
    if outcome.moved:
        return Action.COPY, "copied"
    if copy.mount_from is not None:
        return Action.MOUNT, "mounted"
    return Action.PRESENT, "present"


class _ManifestTasks:
    """The tasks that put the manifests, and finally the tags, at each target."""

    def __init__(self, publisher: Publisher, graph: Graph, states: Sequence[_TargetState]) -> None:
        self._publisher = publisher
        self._content = graph.content()
        self._root = graph.root.digest
        self._states = states

    def tasks(self) -> Iterator[Task]:
        """Yield a task for every manifest to be put, and one for the tags of each target."""
        for state in self._states:
            name = state.copy.name
            digests = [step.descriptor.digest for step in _to_copy(state.plan.manifests)]
            children = [digest for digest in digests if digest != self._root]
            for digest in children:
                manifest = self._content[digest]
                put = partial(self._put, state, manifest, digest)
                yield Task((name, digest), put, _needs(name, manifest))
            needs: set[Hashable] = {step.descriptor.digest for step in state.plan.blobs}
            needs |= {(name, digest) for digest in children}
            yield Task((name, "tags"), partial(self._put_tags, state), frozenset(needs))

    def _put_tags(self, state: _TargetState) -> None:
        root = self._content[self._root]
        tags = state.copy.tags or (root.digest,)
        for tag in tags:
            self._put(state, root, tag)
        for tag in tags:
            self._unless_failed(state, partial(self._confirm, state, root, tag))

    def _confirm(self, state: _TargetState, root: Manifest, reference: str) -> None:
        if not self._publisher.confirm(state.copy.end, root, reference):
            state.add_unconfirmed(reference)

    def _put(self, state: _TargetState, manifest: Manifest, reference: str) -> None:
        put = partial(self._publisher.put, state.copy.end, manifest, reference)
        if self._unless_failed(state, put):
            state.add_manifest()
            event = ManifestPut(manifest.descriptor, state.copy.name, reference)
            self._publisher.mover.retry.reporter.tell(event)

    def _unless_failed(self, state: _TargetState, action: Callable[[], None]) -> bool:
        """Do something at a target unless that has failed; return whether it was done."""
        if state.failed:
            return False
        try:
            action()
        except RegimportError as error:
            state.fail(error)
            return False
        return True


def _needs(name: str, manifest: Manifest) -> frozenset[Hashable]:
    """Return the keys of the tasks for everything below a manifest."""
    blobs: set[Hashable] = {blob.digest for blob in manifest.blobs()}
    return frozenset(blobs | {(name, child.digest) for child in manifest.manifests})
