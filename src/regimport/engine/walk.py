"""The manifest graph under a root: what there is to copy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from regimport.engine.budget import Budget
from regimport.engine.ends import Source
from regimport.engine.sizes import completed, described, sizes_of_blobs
from regimport.engine.target import TargetCopy
from regimport.engine.workers import Workers
from regimport.errors import ContentMismatch, InvalidManifest, NotFound, Side
from regimport.events import ReadingManifests, Reporter, Warned
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.mediatype import INDEX_TYPES
from regimport.models.referrers import Referrers
from regimport.values import dataclass

__all__ = ["MAX_DEPTH", "MAX_MANIFESTS_IN_GRAPH", "Graph", "visit_levels", "walk"]

# Deeper or larger than any image that is built, small enough that a hostile one ends early.
MAX_DEPTH = 8
MAX_MANIFESTS_IN_GRAPH = 10_000


@dataclass(frozen=True, slots=True)
class Graph:
    """The manifests under a root, each digest once.

    `manifests` are those that were read, parents before children; `named` all that the indexes
    among them name, read or not. `referrers` is what belongs to them and is to come along, None if
    nothing is; its manifests are among `manifests`, and `attached` are their descriptors.
    """

    root: Descriptor
    manifests: tuple[Manifest, ...]
    named: tuple[Descriptor, ...]
    referrers: Referrers | None = None
    attached: tuple[Descriptor, ...] = ()

    def content(self) -> dict[Digest, Manifest]:
        """Return the manifests that were read, by digest."""
        return {manifest.digest: manifest for manifest in self.manifests}


def visit_levels(
    root: Descriptor,
    visit: Callable[[Sequence[Descriptor]], Iterable[Manifest]],
    side: Side,
    name: str,
    check: Callable[[Sequence[Descriptor]], object] = len,
) -> list[Descriptor]:
    """Visit the manifests under `root` breadth-first, each digest once; return all but the root.

    `visit` is called with a level, the root being the first, and returns those manifests of it
    that it has read. `check` is called with all that are named so far, before those of another
    level are read, and may raise. Raise `InvalidManifest`, located at `side` and `name`, for a
    graph that is too deep or too large.
    """
    named = {root.digest: root}
    level = [root]
    for _ in range(MAX_DEPTH):
        children = [child for manifest in visit(level) for child in manifest.manifests]
        level = list({child.digest: child for child in children}.values())
        level = [child for child in level if child.digest not in named]
        named.update((child.digest, child) for child in level)
        if len(named) > MAX_MANIFESTS_IN_GRAPH:
            message = f"the image names more than {MAX_MANIFESTS_IN_GRAPH} manifests"
            raise InvalidManifest(message).located(side, name)
        if not level:
            return list(named.values())[1:]
        check(list(named.values())[1:])
    message = f"the image nests indexes more than {MAX_DEPTH} deep"
    raise InvalidManifest(message).located(side, name)


def walk(
    source: Source,
    root: Descriptor,
    workers: Workers,
    reporter: Reporter,
    targets: Sequence[TargetCopy] = (),
    *,
    largest: int | None = None,
    check: Callable[[Sequence[Descriptor]], object] = len,
) -> tuple[Graph, list[TargetCopy]]:
    """Read the graph under `root`, level by level, several manifests at once.

    Return it, and the targets with the manifests that each holds. A manifest that every target
    holds is not read for its own sake: registries count that as a pull. Indexes are, since they
    say what there is; without targets all is read. Where targets are to be examined, each is asked
    for all, and only what none of them has, with the right bytes, is read from the source. Sizes
    that descriptors do not say are found out; where a blob has to be read for that, at most
    `largest` bytes and a piece more are. `check` is
    that of `visit_levels`. Raise `InvalidManifest` for a graph that is too deep or too large,
    `ContentMismatch` for content that is not what its descriptor says.
    """
    walker = _Walker(source, root, workers, reporter, targets)
    named = visit_levels(root, walker.visit, Side.SOURCE, source.name, check)
    read = walker.manifests
    sizes = sizes_of_blobs(source, read, workers, largest)
    graph = Graph(
        root if root.digest not in read else replace(root, size=read[root.digest].descriptor.size),
        tuple(completed(manifest, read, sizes) for manifest in read.values()),
        tuple(described(child, read) for child in named),
    )
    return graph, [
        replace(target, existing=frozenset(walker.existing[target.name])) for target in targets
    ]


class _Walker:
    """Reads manifests from the source, and notes which of them the targets hold."""

    def __init__(
        self,
        source: Source,
        root: Descriptor,
        workers: Workers,
        reporter: Reporter,
        targets: Sequence[TargetCopy],
    ) -> None:
        self._source = source
        self._root = root
        self._workers = workers
        self._reporter = reporter
        self._targets = targets
        self.manifests: dict[Digest, Manifest] = {}
        self._budget = Budget()
        # Written by several threads, each with a single call.
        self.existing: dict[str, set[Digest]] = {target.name: set() for target in targets}

    def visit(self, level: Sequence[Descriptor]) -> list[Manifest]:
        """Read the manifests of a level that are needed, and ask the targets for all of it."""
        if any(target.examined for target in self._targets):
            return self._examine(level)
        certain = [child for child in level if child is self._root or _must_be_read(child)]
        # What is read in any case does not wait for the targets' answers.
        self._run(certain, level)
        read = {child.digest for child in certain}
        others = [child for child in level if child.digest not in read and self._needed(child)]
        self._run(others, ())
        return [self.manifests[child.digest] for child in certain + others]

    def _examine(self, level: Sequence[Descriptor]) -> list[Manifest]:
        """Read all manifests of a level: at every target, and else from the source."""
        self._reporter.tell(ReadingManifests(len(level)))
        calls = [partial(self._get, target, child) for target in self._targets for child in level]
        self._workers.map(lambda call: call(), calls)
        self._run([child for child in level if child.digest not in self.manifests], ())
        # In the order of the image, whichever target has answered first.
        for child in level:
            self.manifests[child.digest] = self.manifests.pop(child.digest)
        return [self.manifests[child.digest] for child in level]

    def _run(self, wanted: Sequence[Descriptor], asked: Sequence[Descriptor]) -> None:
        """Read some manifests, and ask every target for others, all at once."""
        if wanted:
            self._reporter.tell(ReadingManifests(len(wanted)))
        calls: list[Callable[[], Manifest | None]] = [
            partial(self._read, child) for child in wanted
        ]
        calls += [partial(self._ask, target, child) for target in self._targets for child in asked]
        answers = self._workers.map(lambda call: call(), calls)
        for manifest in answers:
            if manifest is not None:
                self.manifests[manifest.digest] = manifest
                self._warn_of_type(manifest)

    def _read(self, child: Descriptor) -> Manifest:
        try:
            self._budget.check()
            manifest = self._budget.spend(self._source.get_manifest(child.digest))
        except InvalidManifest as error:
            raise error.located(Side.SOURCE, self._source.name) from None
        # The size of the root may come from an answer to HEAD, where proxies change it.
        if child is not self._root and child.has_size:
            _check_size(manifest, child, self._source)
        return manifest

    def _warn_of_type(self, manifest: Manifest) -> None:
        if manifest.served_as is not None:
            # Without a digest, so that it is told once for all manifests of an image.
            message = (
                f"the source serves manifests of type {manifest.media_type} as "
                f"{manifest.served_as}; they are copied as the former"
            )
            self._reporter.tell(Warned(message))

    def _ask(self, target: TargetCopy, child: Descriptor) -> None:
        held = target.end.head_manifest(child.digest)
        if held is not None and held.digest == child.digest:
            self.existing[target.name].add(child.digest)

    def _get(self, target: TargetCopy, child: Descriptor) -> None:
        self._budget.check()
        try:
            manifest = target.end.get_manifest(child.digest)
        except (NotFound, ContentMismatch, InvalidManifest):
            return
        self.existing[target.name].add(child.digest)
        if child.digest not in self.manifests:
            if child is not self._root and child.has_size:
                _check_size(manifest, child, self._source)
            self.manifests[child.digest] = self._budget.spend(manifest)

    def _needed(self, child: Descriptor) -> bool:
        return not self.existing or any(child.digest not in held for held in self.existing.values())


def _must_be_read(descriptor: Descriptor) -> bool:
    """Return whether a manifest is an index, or its descriptor leaves open what it is."""
    incomplete = not descriptor.has_size or not descriptor.media_type
    return incomplete or descriptor.media_type in INDEX_TYPES


def _check_size(manifest: Manifest, descriptor: Descriptor, source: Source) -> None:
    if manifest.descriptor.size != descriptor.size:
        raise ContentMismatch(
            f"manifest {descriptor.digest} has {manifest.descriptor.size} bytes, "
            f"but its descriptor says {descriptor.size}",
            expected=f"{descriptor.size} bytes",
            got=f"{manifest.descriptor.size} bytes",
        ).located(Side.SOURCE, source.name)
