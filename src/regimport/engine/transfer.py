"""Carries out the plans: blobs first, each manifest when its content is there, tags last."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial

from regimport.engine.attachments import list_referrers, wants_digest_tag
from regimport.engine.blob import BlobMover
from regimport.engine.blob_tasks import BlobTasks
from regimport.engine.ends import BlobSource, Source
from regimport.engine.known import KnownBlobs
from regimport.engine.publish import Publisher
from regimport.engine.repair import check_manifest
from regimport.engine.retrying import RetryContext
from regimport.engine.states import ReadCount, TargetState
from regimport.engine.steps import Action, Step
from regimport.engine.target import TargetCopy
from regimport.engine.tasks import Task
from regimport.engine.walk import Graph
from regimport.errors import RegimportError
from regimport.events import ManifestPut, Planned
from regimport.models.backup import BackupNames
from regimport.models.digest import Digest
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
    *,
    no_clobber: bool = False,
    external: BlobSource | None = None,
    backups: BackupNames | None = None,
) -> Transfer:
    """Carry out the targets' plans, several steps at once, and return the result.

    The failure of a target does not stop the others. At each target the root is put last, once for
    each tag, when everything below it is there. What arrives is added to the `known` blobs.

    What belongs to a manifest follows it; for what belongs to the root, that is put by its digest
    first. `no_clobber` moves no digest tag. `external` reads the blobs that have URLs in their
    step. Before a tag moves, its old image is put under the name that `backups` has for it.
    """
    counts = ReadCount()
    states = [TargetState(target, target.plan) for target in targets if target.plan is not None]
    mover = BlobMover(source, retry, external)
    publisher = Publisher(mover, graph.content(), counts.add)
    blobs = BlobTasks(mover, states, counts, KnownBlobs() if known is None else known)
    manifests = _ManifestTasks(publisher, graph, states, backups, no_clobber=no_clobber)
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

    def __init__(
        self,
        publisher: Publisher,
        graph: Graph,
        states: Sequence[TargetState],
        backups: BackupNames | None,
        *,
        no_clobber: bool,
    ) -> None:
        self._publisher = publisher
        self._content = graph.content()
        self._root = graph.root.digest
        self._states = states
        self._referrers = () if graph.referrers is None else graph.referrers.found
        self._backups = backups
        self._no_clobber = no_clobber

    def tasks(self) -> Iterator[Task]:
        """Yield a task for every manifest to be put, and one for the tags of each target."""
        subjects = {referrer.subject for referrer in self._referrers}
        # A referrer may name its subject by another digest than the copy does.
        subject_of = {
            referrer.manifest.digest: referrer.subject
            for referrer in self._referrers
            if referrer.tag is None
        }
        for state in self._states:
            name = state.copy.name
            digests = [step.descriptor.digest for step in _to_copy(state.plan.manifests)]
            # The root is put under its tags, unless these are there, or it has to be there before.
            early = self._root in subjects or not state.copy.pending
            first = [digest for digest in digests if digest != self._root or early]
            needs: set[Hashable] = {step.descriptor.digest for step in state.plan.blobs}
            for digest in first:
                manifest = self._content[digest]
                # The root is counted when its tags are set.
                counted = digest != self._root or not state.copy.pending
                put = partial(self._put_by_digest, state, manifest, counted=counted)
                below = _needs(name, manifest)
                if digest in subject_of:
                    below |= {(name, subject_of[digest])}
                yield Task((name, digest), put, below)
                needs.add((name, digest))
            for task in self._listing_tasks(state):
                yield task
                needs.add(task.key)
            finish = self._put_tags if state.copy.pending else self._commit
            yield Task((name, "tags"), partial(finish, state), frozenset(needs))

    def _listing_tasks(self, state: TargetState) -> Iterator[Task]:
        """Yield the tasks that make what belongs to the image findable."""
        name = state.copy.name
        by_subject: dict[Digest, list[Digest]] = {}
        for referrer in self._referrers:
            digest, subject = referrer.manifest.digest, referrer.subject
            if referrer.tag is None:
                named = self._content[digest].subject
                by_subject.setdefault(subject if named is None else named.digest, []).append(digest)
                continue
            set_tag = partial(self._set_digest_tag, state, self._content[digest], referrer.tag)
            needs: set[Hashable] = {(name, digest), (name, subject)}
            yield Task((name, referrer.tag), set_tag, frozenset(needs))
        for subject, digests in by_subject.items():
            list_them = partial(self._list, state, subject, digests)
            keys: set[Hashable] = {(name, digest) for digest in digests}
            yield Task((name, "referrers", subject), list_them, frozenset(keys))

    def _list(self, state: TargetState, subject: Digest, digests: Sequence[Digest]) -> None:
        rest = [self._content[digest] for digest in digests if digest not in state.acknowledged]
        if rest:
            reporter = self._publisher.mover.retry.reporter
            end = state.copy.end
            self._unless_failed(state, partial(list_referrers, end, subject, rest, reporter))

    def _set_digest_tag(self, state: TargetState, manifest: Manifest, tag: str) -> None:
        def wanted() -> None:
            reporter = self._publisher.mover.retry.reporter
            clobber = not self._no_clobber
            if wants_digest_tag(state.copy.end, manifest, tag, reporter, clobber=clobber):
                self._put(state, manifest, tag, counted=False)

        self._unless_failed(state, wanted)

    def _put_tags(self, state: TargetState) -> None:
        root = self._content[self._root]
        tags = state.copy.tags or (root.digest,)
        for tag in tags:
            if self._backups is not None and state.copy.tags:
                self._unless_failed(state, partial(self._keep_old, state, tag, self._backups))
            if tag not in state.acknowledged:
                self._put(state, root, tag)
        self._commit(state)
        for tag in tags:
            self._unless_failed(state, partial(self._confirm, state, root, tag))
        if state.copy.examined and state.copy.holds_parts:
            self._unless_failed(state, partial(self._check, state, root))

    def _put_by_digest(self, state: TargetState, manifest: Manifest, *, counted: bool) -> None:
        self._put(state, manifest, manifest.digest, counted=counted)
        if state.copy.examined and state.copy.holds_parts:
            self._unless_failed(state, partial(self._check, state, manifest))

    def _check(self, state: TargetState, manifest: Manifest) -> None:
        check_manifest(state.copy.end, manifest, self._publisher)

    def _keep_old(self, state: TargetState, tag: str, names: BackupNames) -> None:
        # Imported where it is asked for.
        from regimport.engine.backup import keep_old  # noqa: PLC0415

        name = keep_old(state.copy.end, tag, self._root, names, self._publisher)
        if name is not None:
            state.add_backup(tag, name)

    def _confirm(self, state: TargetState, root: Manifest, reference: str) -> None:
        if not self._publisher.confirm(state.copy.end, root, reference):
            state.add_unconfirmed(reference)

    def _commit(self, state: TargetState) -> None:
        self._unless_failed(state, state.copy.end.commit)

    def _put(
        self, state: TargetState, manifest: Manifest, reference: str, *, counted: bool = True
    ) -> None:
        def put() -> None:
            if self._publisher.put(state.copy.end, manifest, reference):
                state.acknowledged.add(manifest.digest)

        if self._unless_failed(state, put):
            if counted:
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
    """Return the keys of the tasks for everything below a manifest, and for its subject."""
    blobs: set[Hashable] = {blob.digest for blob in manifest.blobs()}
    subject = () if manifest.subject is None else (manifest.subject,)
    others = (*manifest.manifests, *subject)
    return frozenset(blobs | {(name, other.digest) for other in others})
