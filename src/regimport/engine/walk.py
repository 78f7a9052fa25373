"""The manifest graph under a root: what there is to copy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from regimport.engine.ends import Source
from regimport.engine.resolve import Delivery
from regimport.engine.workers import Workers
from regimport.errors import ContentMismatch, InvalidManifest, Side
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
    source: Source,
    root: Descriptor,
    deliveries: Sequence[Delivery],
    workers: Workers,
    ahead: Sequence[Callable[[], None]] = (),
    expect: Callable[[int], None] = lambda _: None,
) -> Graph:
    """Read the graph under `root`, level by level, several manifests at once.

    A manifest that every delivery has already is not read for its own sake: registries count
    that as a pull. Indexes are, since they say what there is; without deliveries all is read.
    Raises `InvalidManifest` for a graph that is too deep or too large, `ContentMismatch` for
    content that is not what its descriptor says. `ahead` is done while the root is read;
    `expect` is told how many manifests will be read next.
    """
    manifests: dict[Digest, Manifest] = {}
    named: dict[Digest, Descriptor] = {root.digest: root}
    present: list[set[Digest]] = [set() for _ in deliveries]
    level = [root]
    for _ in range(MAX_DEPTH):
        # What is read in any case does not wait for the targets' answers.
        surely = [child for child in level if child is root or child.media_type in INDEX_TYPES]
        expect(len(surely))
        read = _read_and_ask(source, surely, level, deliveries, present, workers, ahead)
        ahead = ()
        others = [
            child
            for child in level
            if child not in surely
            and (not present or any(child.digest not in held for held in present))
        ]
        expect(len(others))
        read += workers.map(lambda child: _read(source, child), others)
        manifests.update((manifest.digest, manifest) for manifest in read)
        children = [child for manifest in read for child in manifest.manifests]
        level = [named.setdefault(new.digest, new) for new in _new(children, named)]
        if len(named) > MAX_MANIFESTS:
            raise _too_much(source, f"the image names more than {MAX_MANIFESTS} manifests")
        if not level:
            break
    else:
        raise _too_much(source, f"the image nests indexes more than {MAX_DEPTH} deep")
    del named[root.digest]
    return Graph(
        root,
        tuple(manifests.values()),
        tuple(named.values()),
        tuple(frozenset(held) for held in present),
    )


def _new(children: Sequence[Descriptor], seen: dict[Digest, Descriptor]) -> list[Descriptor]:
    return list({child.digest: child for child in children if child.digest not in seen}.values())


def _read_and_ask(
    source: Source,
    wanted: Sequence[Descriptor],
    level: Sequence[Descriptor],
    deliveries: Sequence[Delivery],
    present: Sequence[set[Digest]],
    workers: Workers,
    ahead: Sequence[Callable[[], None]],
) -> list[Manifest]:
    """Read some manifests, and note which of a level each delivery has, all at once."""
    found: dict[Digest, Manifest] = {}

    def read(child: Descriptor) -> None:
        found[child.digest] = _read(source, child)

    def ask(number: int, child: Descriptor) -> None:
        held = deliveries[number].end.head_manifest(child.digest)
        if held is not None and held.digest == child.digest:
            present[number].add(child.digest)

    calls: list[Callable[[], None]] = [partial(read, child) for child in wanted]
    calls += [partial(ask, number, child) for number in range(len(deliveries)) for child in level]
    calls += ahead
    workers.map(lambda call: call(), calls)
    return [found[child.digest] for child in wanted]


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


def _too_much(source: Source, message: str) -> InvalidManifest:
    return InvalidManifest(message).located(Side.SOURCE, source.name)
