"""The manifest graph under a root: what there is to copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from regimport.engine.ends import Source
from regimport.engine.resolve import Delivery
from regimport.engine.workers import Workers
from regimport.errors import ContentMismatch, InvalidManifest
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.mediatype import INDEX_TYPES

__all__ = ["Graph", "walk"]

# Deeper or larger than any image that is built, small enough that a hostile one ends early.
MAX_DEPTH = 8
MAX_MANIFESTS = 10_000


@dataclass(frozen=True, slots=True)
class Graph:
    """What is under a root, each digest once.

    `manifests` are those that were read, parents before children; `named` all that the indexes
    among them name, read or not. `present[n]` are the digests that delivery `n` has already.
    """

    root: Descriptor
    manifests: tuple[Manifest, ...]
    named: tuple[Descriptor, ...]
    present: tuple[frozenset[Digest], ...]


def walk(
    source: Source, root: Descriptor, deliveries: Sequence[Delivery], workers: Workers
) -> Graph:
    """Read the graph under `root`, level by level, several manifests at once.

    A manifest that every delivery has already is not read for its own sake: registries count
    that as a pull. Indexes are, since they say what there is; without deliveries all is read.
    Raises `InvalidManifest` for a
    graph that is too deep or too large, `ContentMismatch` for content that is not what its
    descriptor says.
    """
    manifests: dict[Digest, Manifest] = {}
    named: dict[Digest, Descriptor] = {root.digest: root}
    present: list[set[Digest]] = [set() for _ in deliveries]
    level = [root]
    for _ in range(MAX_DEPTH):
        _ask_presence(level, deliveries, present, workers)
        wanted = [
            descriptor
            for descriptor in level
            if descriptor.media_type in INDEX_TYPES
            or descriptor is root
            or not present
            or any(descriptor.digest not in held for held in present)
        ]
        for manifest in workers.map(lambda child: _read(source, child), wanted):
            manifests[manifest.digest] = manifest
        children = [child for found in wanted for child in manifests[found.digest].manifests]
        level = [named.setdefault(new.digest, new) for new in _new(children, named)]
        if len(named) > MAX_MANIFESTS:
            raise InvalidManifest(f"the image names more than {MAX_MANIFESTS} manifests")
        if not level:
            break
    else:
        raise InvalidManifest(f"the image nests indexes more than {MAX_DEPTH} deep")
    del named[root.digest]
    return Graph(
        root,
        tuple(manifests.values()),
        tuple(named.values()),
        tuple(frozenset(held) for held in present),
    )


def _new(children: Sequence[Descriptor], seen: dict[Digest, Descriptor]) -> list[Descriptor]:
    return list({child.digest: child for child in children if child.digest not in seen}.values())


def _ask_presence(
    level: Sequence[Descriptor],
    deliveries: Sequence[Delivery],
    present: Sequence[set[Digest]],
    workers: Workers,
) -> None:
    questions = [(number, child) for number in range(len(deliveries)) for child in level]

    def ask(question: tuple[int, Descriptor]) -> bool:
        number, child = question
        held = deliveries[number].end.head_manifest(child.digest)
        return held is not None and held.digest == child.digest

    for (number, child), held in zip(questions, workers.map(ask, questions), strict=True):
        if held:
            present[number].add(child.digest)


def _read(source: Source, descriptor: Descriptor) -> Manifest:
    manifest = source.get_manifest(descriptor.digest)
    if manifest.descriptor.size != descriptor.size:
        raise ContentMismatch(
            f"manifest {descriptor.digest} has {manifest.descriptor.size} bytes, "
            f"but its descriptor says {descriptor.size}",
            expected=f"{descriptor.size} bytes",
            got=f"{manifest.descriptor.size} bytes",
        )
    return manifest
