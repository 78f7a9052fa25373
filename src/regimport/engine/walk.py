"""The manifest graph under a root: what there is to copy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from regimport.engine.ends import Source
from regimport.engine.target import TargetCopy
from regimport.engine.workers import Workers
from regimport.errors import ContentMismatch, InvalidManifest, Side
from regimport.events import ReadingManifests, Reporter
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.mediatype import INDEX_TYPES
from regimport.values import dataclass

__all__ = ["MAX_DEPTH", "MAX_MANIFESTS_IN_GRAPH", "Graph", "visit_levels", "walk"]

# Deeper or larger than any image that is built, small enough that a hostile one ends early.
MAX_DEPTH = 8
MAX_MANIFESTS_IN_GRAPH = 10_000


@dataclass(frozen=True, slots=True)
class Graph:
    """The manifests under a root, each digest once.

    `manifests` are those that were read, parents before children; `named` all that the indexes
    among them name, read or not.
    """

    root: Descriptor
    manifests: tuple[Manifest, ...]
    named: tuple[Descriptor, ...]

    def content(self) -> dict[Digest, Manifest]:
        """Return the manifests that were read, by digest."""
        return {manifest.digest: manifest for manifest in self.manifests}


def visit_levels(
    root: Descriptor,
    visit: Callable[[Sequence[Descriptor]], Iterable[Manifest]],
    side: Side,
    name: str,
) -> list[Descriptor]:
    """Visit the manifests under `root` breadth-first, each digest once; return all but the root.

    `visit` is called with a level, the root being the first, and returns those manifests of it
    that it has read. Raise `InvalidManifest`, located at `side` and `name`, for a graph that is
    too deep or too large.
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
    message = f"the image nests indexes more than {MAX_DEPTH} deep"
    raise InvalidManifest(message).located(side, name)


def walk(
    source: Source,
    root: Descriptor,
    workers: Workers,
    reporter: Reporter,
    targets: Sequence[TargetCopy] = (),
) -> tuple[Graph, list[TargetCopy]]:
    """Read the graph under `root`, level by level, several manifests at once.

    Return it, and the targets with the manifests that each holds. A manifest that every target
    holds is not read for its own sake: registries count that as a pull. Indexes are, since they
    say what there is; without targets all is read. Raise `InvalidManifest` for a graph that is
    too deep or too large, `ContentMismatch` for content that is not what its descriptor says.
    """
    walker = _Walker(source, root, workers, reporter, targets)
    named = visit_levels(root, walker.visit, Side.SOURCE, source.name)
    graph = Graph(root, tuple(walker.manifests.values()), tuple(named))
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
        # Written by several threads, each with a single call.
        self.existing: dict[str, set[Digest]] = {target.name: set() for target in targets}

    def visit(self, level: Sequence[Descriptor]) -> list[Manifest]:
        """Read the manifests of a level that are needed, and ask the targets for all of it."""
        certain = [
            child for child in level if child is self._root or child.media_type in INDEX_TYPES
        ]
        # What is read in any case does not wait for the targets' answers.
        self._run(certain, level)
        others = [child for child in level if child not in certain and self._needed(child)]
        self._run(others, ())
        return [self.manifests[child.digest] for child in certain + others]

    def _run(self, wanted: Sequence[Descriptor], asked: Sequence[Descriptor]) -> None:
        """Read some manifests, and ask every target for others, all at once."""
        if wanted:
            self._reporter.tell(ReadingManifests(len(wanted)))
        calls: list[Callable[[], Manifest | None]] = [
            partial(_read, self._source, child) for child in wanted
        ]
        calls += [partial(self._ask, target, child) for target in self._targets for child in asked]
        answers = self._workers.map(lambda call: call(), calls)
        self.manifests.update(
            (manifest.digest, manifest) for manifest in answers if manifest is not None
        )

    def _ask(self, target: TargetCopy, child: Descriptor) -> None:
        held = target.end.head_manifest(child.digest)
        if held is not None and held.digest == child.digest:
            self.existing[target.name].add(child.digest)

    def _needed(self, child: Descriptor) -> bool:
        return not self.existing or any(child.digest not in held for held in self.existing.values())


def _read(source: Source, descriptor: Descriptor) -> Manifest:
    manifest = source.get_manifest(descriptor.digest)
    if manifest.descriptor.size != descriptor.size:
        raise ContentMismatch(
            f"manifest {descriptor.digest} has {manifest.descriptor.size} bytes, "
            f"but its descriptor says {descriptor.size}",
            expected=f"{descriptor.size} bytes",
            got=f"{manifest.descriptor.size} bytes",
        ).located(Side.SOURCE, source.name)
    return manifest
