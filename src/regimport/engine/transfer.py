"""Carries a plan out: blobs first, manifests when all under them is there, tags last."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TypeAlias

from regimport.engine.blob import BlobMover, Outcome
from regimport.engine.ends import Source
from regimport.engine.plan import Action, Plan, Step
from regimport.engine.publish import Publisher
from regimport.engine.resolve import Delivery
from regimport.engine.tally import Tally, planned_tally
from regimport.engine.workers import Task, Workers
from regimport.errors import RegimportError
from regimport.events import BlobFinished, ManifestPut, Planned, Reporter
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.options import RetryPolicy

__all__ = ["Transfer", "transfer"]

_Action: TypeAlias = Callable[[], None]


class Transfer:
    """What a transfer has come to: a tally and an error, if any, for each delivery."""

    def __init__(self, plan: Plan) -> None:
        self.tallies = [
            _before(blobs, manifests)
            for blobs, manifests in zip(plan.blobs, plan.manifests, strict=True)
        ]
        self.errors: list[RegimportError | None] = [None] * len(plan.blobs)
        self.bytes_read = 0
        self._lock = threading.Lock()

    def failed(self, number: int) -> bool:
        """Tell whether delivery `number` has failed; nothing more is to be written there."""
        return self.errors[number] is not None

    def fail(self, number: int, error: BaseException) -> None:
        """Note the error of a delivery, the first one; what is no error of ours goes through."""
        if not isinstance(error, RegimportError):
            raise error
        with self._lock:
            self.errors[number] = self.errors[number] or error

    def blob_done(self, number: int, action: Action, size: int) -> None:
        """Count a blob that has reached its target."""
        with self._lock:
            self.tallies[number].add_blob(action, size)

    def blob_read(self, size: int) -> None:
        """Count bytes of blobs that were read from the source."""
        with self._lock:
            self.bytes_read += size

    def manifest_done(self, number: int) -> None:
        """Count a manifest that was put."""
        with self._lock:
            self.tallies[number].add_manifest(Action.COPY)


def transfer(
    plan: Plan,
    source: Source,
    deliveries: Sequence[Delivery],
    workers: Workers,
    reporter: Reporter,
    retry: RetryPolicy,
) -> Transfer:
    """Do what the plan says, several things at once; gives what came of it.

    One delivery's failure does not stop the others. A delivery's root is put last, once a tag.
    """
    result = Transfer(plan)
    moving = plan.moving()
    reporter.tell(
        Planned(
            len(moving),
            sum(blob.size for blob in moving.values()),
            sum(step.action is Action.COPY for steps in plan.manifests for step in steps),
        )
    )
    courier = _Courier(plan, deliveries, BlobMover(source, retry, workers, reporter), result)
    workers.run([*courier.blob_tasks(), *courier.manifest_tasks()])
    return result


class _Courier:
    """Turns a plan into tasks, and does each."""

    def __init__(
        self, plan: Plan, deliveries: Sequence[Delivery], mover: BlobMover, result: Transfer
    ) -> None:
        self._plan = plan
        self._deliveries = deliveries
        self._mover = mover
        self._result = result
        self._content = plan.content()
        self._publisher = Publisher(mover, self._content, result.blob_read)

    def blob_tasks(self) -> Iterator[Task]:
        """Give a task for every blob that any delivery lacks."""
        wanted: dict[Digest, tuple[Descriptor, list[int]]] = {}
        for number, steps in enumerate(self._plan.blobs):
            for step in steps:
                if step.action in {Action.COPY, Action.MOUNT}:
                    blob = step.descriptor
                    wanted.setdefault(blob.digest, (blob, []))[1].append(number)
        for blob, numbers in wanted.values():
            yield Task(blob.digest, self._moves(blob, numbers), weight=blob.size)

    def manifest_tasks(self) -> Iterator[Task]:
        """Give a task for every manifest to be put, and one for the tags of each delivery."""
        for number, steps in enumerate(self._plan.manifests):
            children = [step.descriptor.digest for step in steps if step.action is Action.COPY]
            for digest in children:
                if digest != self._plan.root.digest:
                    yield Task(
                        (number, digest), self._puts(number, digest), self._needs(number, digest)
                    )
            root = self._plan.root.digest
            everything = {step.descriptor.digest for step in self._plan.blobs[number]}
            needs = frozenset[Hashable](everything | {(number, digest) for digest in children})
            yield Task((number, "tags"), self._tags(number), needs - {(number, root)})

    def _needs(self, number: int, digest: Digest) -> frozenset[Hashable]:
        manifest = self._content[digest]
        blobs: set[Hashable] = {blob.digest for blob in manifest.blobs()}
        return frozenset(blobs | {(number, child.digest) for child in manifest.manifests})

    def _moves(self, blob: Descriptor, numbers: Sequence[int]) -> _Action:
        def move() -> None:
            alive = [number for number in numbers if not self._result.failed(number)]
            ends = [self._deliveries[number].end for number in alive]
            mounts = [self._deliveries[number].mount_from for number in alive]
            moved = self._mover.move(blob, ends, mounts=mounts)
            self._result.blob_read(moved.bytes_read)
            for number, end, outcome in zip(alive, ends, moved.outcomes, strict=True):
                if outcome.error is not None:
                    self._result.fail(number, outcome.error)
                    word = "failed"
                else:
                    action, word = self._settled(number, outcome)
                    self._result.blob_done(number, action, blob.size)
                self._mover.reporter.tell(BlobFinished(blob, word, end.name))

        return move

    def _settled(self, number: int, outcome: Outcome) -> tuple[Action, str]:
        """Tell how a blob got there: sent, or found there when its upload was to start."""
        if outcome.moved:
            return Action.COPY, "copied"
        if self._deliveries[number].mount_from is not None:
            return Action.MOUNT, "mounted"
        return Action.PRESENT, "present"

    def _puts(self, number: int, digest: Digest) -> _Action:
        return lambda: self._put(number, self._content[digest], digest)

    def _tags(self, number: int) -> _Action:
        def put_tags() -> None:
            root = self._content[self._plan.root.digest]
            tags = self._deliveries[number].tags or (root.digest,)
            for tag in tags:
                self._put(number, root, tag)
            for tag in tags:
                self._confirm(number, root, tag)

        return put_tags

    def _put(self, number: int, manifest: Manifest, reference: str) -> None:
        if self._result.failed(number):
            return
        end = self._deliveries[number].end
        try:
            self._publisher.put(end, manifest, reference)
        except RegimportError as error:
            self._result.fail(number, error)
            return
        self._result.manifest_done(number)
        self._mover.reporter.tell(ManifestPut(manifest.descriptor, end.name, reference))

    def _confirm(self, number: int, manifest: Manifest, reference: str) -> None:
        if self._result.failed(number):
            return
        try:
            self._publisher.confirm(self._deliveries[number].end, manifest, reference)
        except RegimportError as error:
            self._result.fail(number, error)


def _before(blobs: Sequence[Step], manifests: Sequence[Step]) -> Tally:
    """Count what needs no work, before the work begins."""
    settled = {Action.PRESENT, Action.SKIP}
    return planned_tally(
        [step for step in blobs if step.action in settled],
        [step for step in manifests if step.action in settled],
    )
