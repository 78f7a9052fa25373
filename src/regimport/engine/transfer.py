"""Carries out the plans: blobs first, each manifest when its content is there, tags last."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial

from regimport.engine.blob import BlobMover
from regimport.engine.blob_tasks import BlobTasks
from regimport.engine.ends import Source
from regimport.engine.known import KnownBlobs
from regimport.engine.publish import Publisher
from regimport.engine.retrying import RetryContext
from regimport.engine.states import ReadCount, TargetState
from regimport.engine.steps import Action, Step
from regimport.engine.target import TargetCopy
from regimport.engine.tasks import Task
from regimport.engine.walk import Graph
from regimport.errors import RegimportError
from regimport.events import ManifestPut, Planned
from regimport.models.manifest import Manifest
from regimport.values import dataclass

__all__ = ["Transfer", "transfer"]


@dataclass(frozen=True, slots=True)
class Transfer:
    """The result of a transfer: the targets, copied or failed, and the bytes read at the source."""

    targets: tuple[TargetCopy, ...]
    bytes_read: int


def transfer(
    source: Source,
    graph: Graph,
    targets: Sequence[TargetCopy],
    retry: RetryContext,
    known: KnownBlobs | None = None,
) -> Transfer:
    """Carry out the targets' plans, several steps at once, and return the result.

    The failure of a target does not stop the others. At each target the root is put last, once for
    each tag, when everything below it is there. What arrives is added to the `known` blobs.
    """
    counts = ReadCount()
    states = [TargetState(target, target.plan) for target in targets if target.plan is not None]
    mover = BlobMover(source, retry)
    publisher = Publisher(mover, graph.content(), counts.add)
    blobs = BlobTasks(mover, states, counts, KnownBlobs() if known is None else known)
    manifests = _ManifestTasks(publisher, graph, states)
    retry.reporter.tell(_planned(states))
    retry.workers.run([*blobs.tasks(), *manifests.tasks()])
    return Transfer(tuple(state.result() for state in states), counts.total)


def _planned(states: Sequence[TargetState]) -> Planned:
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


class _ManifestTasks:
    """The tasks that put the manifests, and finally the tags, at each target."""

    def __init__(self, publisher: Publisher, graph: Graph, states: Sequence[TargetState]) -> None:
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

    def _put_tags(self, state: TargetState) -> None:
        root = self._content[self._root]
        tags = state.copy.tags or (root.digest,)
        for tag in tags:
            self._put(state, root, tag)
        self._unless_failed(state, state.copy.end.commit)
        for tag in tags:
            self._unless_failed(state, partial(self._confirm, state, root, tag))

    def _confirm(self, state: TargetState, root: Manifest, reference: str) -> None:
        if not self._publisher.confirm(state.copy.end, root, reference):
            state.add_unconfirmed(reference)

    def _put(self, state: TargetState, manifest: Manifest, reference: str) -> None:
        put = partial(self._publisher.put, state.copy.end, manifest, reference)
        if self._unless_failed(state, put):
            state.add_manifest()
            event = ManifestPut(manifest.descriptor, state.copy.name, reference)
            self._publisher.mover.retry.reporter.tell(event)

    def _unless_failed(self, state: TargetState, action: Callable[[], None]) -> bool:
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
