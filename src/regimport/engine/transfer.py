"""Carries out the plans: blobs first, each manifest when its content is there, tags last."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from regimport.engine.attachments import list_referrers, wants_digest_tag
from regimport.engine.blob import BlobMover, Outcome
from regimport.engine.ends import BlobSource, Source
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
    source: Source,
    graph: Graph,
    targets: Sequence[TargetCopy],
    retry: RetryContext,
    *,
    no_clobber: bool = False,
    external: BlobSource | None = None,
) -> Transfer:
    """Carry out the targets' plans, several steps at once, and return the result.

    The failure of a target does not stop the others. At each target the root is put last, once for
    each tag, when everything below it is there, and what belongs to it. What belongs to a manifest
    follows that; for what belongs to the root, the root is put by its digest first. `no_clobber`
    moves no digest tag. `external` is what reads the blobs that have URLs in their step.
    """
    counts = _ReadCount()
    states = [_TargetState(target, target.plan) for target in targets if target.plan is not None]
    mover = BlobMover(source, retry, external)
    publisher = Publisher(mover, graph.content(), counts.add)
    blobs = _BlobTasks(mover, states, counts)
    manifests = _ManifestTasks(publisher, graph, states, no_clobber=no_clobber)
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
        # What was put, and is listed by the target itself if it refers to something.
        self.acknowledged: set[Digest] = set()
        self._tally = Tally.of(plan, _NO_WORK)
        self._error: RegimportError | None = None
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

    def result(self) -> TargetCopy:
        """Return the copy as it ended."""
        # A tag that was there stays there, whatever has come to belong to it.
        done = Status.COPIED if self.copy.pending else self.copy.status
        status = done if self._error is None else Status.FAILED
        return replace(self.copy, status=status, tally=self._tally, error=self._error)


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

    def __init__(
        self,
        publisher: Publisher,
        graph: Graph,
        states: Sequence[_TargetState],
        *,
        no_clobber: bool,
    ) -> None:
        self._publisher = publisher
        self._content = graph.content()
        self._root = graph.root.digest
        self._states = states
        self._referrers = () if graph.referrers is None else graph.referrers.found
        self._no_clobber = no_clobber

    def tasks(self) -> Iterator[Task]:
        """Yield a task for every manifest to be put, and one for the tags of each target."""
        subjects = {referrer.subject for referrer in self._referrers}
        for state in self._states:
            name = state.copy.name
            digests = [step.descriptor.digest for step in _to_copy(state.plan.manifests)]
            first = [d for d in digests if d != self._root or self._root in subjects]
            needs: set[Hashable] = {step.descriptor.digest for step in state.plan.blobs}
            for digest in first:
                manifest = self._content[digest]
                # The root is counted when its tags are set.
                counted = digest != self._root or not state.copy.pending
                put = partial(self._put, state, manifest, digest, counted=counted)
                yield Task((name, digest), put, _needs(name, manifest))
                needs.add((name, digest))
            for task in self._listing_tasks(state):
                yield task
                needs.add(task.key)
            if state.copy.pending:
                yield Task((name, "tags"), partial(self._put_tags, state), frozenset(needs))

    def _listing_tasks(self, state: _TargetState) -> Iterator[Task]:
        """Yield the tasks that make what belongs to the image findable."""
        name = state.copy.name
        by_subject: dict[Digest, list[Digest]] = {}
        for referrer in self._referrers:
            digest, subject = referrer.manifest.digest, referrer.subject
            if referrer.tag is None:
                by_subject.setdefault(subject, []).append(digest)
                continue
            set_tag = partial(self._set_digest_tag, state, self._content[digest], referrer.tag)
            needs: set[Hashable] = {(name, digest), (name, subject)}
            yield Task((name, referrer.tag), set_tag, frozenset(needs))
        for subject, digests in by_subject.items():
            list_them = partial(self._list, state, subject, digests)
            keys: set[Hashable] = {(name, digest) for digest in digests}
            yield Task((name, "referrers", subject), list_them, frozenset(keys))

    def _list(self, state: _TargetState, subject: Digest, digests: Sequence[Digest]) -> None:
        rest = [self._content[digest] for digest in digests if digest not in state.acknowledged]
        if rest:
            reporter = self._publisher.mover.retry.reporter
            end = state.copy.end
            self._unless_failed(state, partial(list_referrers, end, subject, rest, reporter))

    def _set_digest_tag(self, state: _TargetState, manifest: Manifest, tag: str) -> None:
        def wanted() -> None:
            reporter = self._publisher.mover.retry.reporter
            clobber = not self._no_clobber
            if wants_digest_tag(state.copy.end, manifest, tag, reporter, clobber=clobber):
                self._put(state, manifest, tag, counted=False)

        self._unless_failed(state, wanted)

    def _put_tags(self, state: _TargetState) -> None:
        root = self._content[self._root]
        tags = state.copy.tags or (root.digest,)
        for tag in tags:
            if tag not in state.acknowledged:
                self._put(state, root, tag)
        for tag in tags:
            self._unless_failed(state, partial(self._publisher.confirm, state.copy.end, root, tag))

    def _put(
        self, state: _TargetState, manifest: Manifest, reference: str, *, counted: bool = True
    ) -> None:
        def put() -> None:
            if self._publisher.put(state.copy.end, manifest, reference):
                state.acknowledged.add(manifest.digest)

        if self._unless_failed(state, put):
            if counted:
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
    """Return the keys of the tasks for everything below a manifest, and for its subject."""
    blobs: set[Hashable] = {blob.digest for blob in manifest.blobs()}
    subject = () if manifest.subject is None else (manifest.subject,)
    others = (*manifest.manifests, *subject)
    return frozenset(blobs | {(name, other.digest) for other in others})
