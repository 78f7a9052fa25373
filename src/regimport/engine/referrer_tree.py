"""What refers to an image, as a tree: under each referrer, what refers to that. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from regimport.engine.walk import Graph
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.referrers import Referrer
from regimport.values import dataclass

__all__ = ["ReferrerNode", "ReferrerTree", "referrer_tree"]


@dataclass(frozen=True, slots=True)
class ReferrerNode:
    """A manifest that belongs to its `subject`, with what belongs to it in turn.

    `tag` is the digest tag that says so; None if the manifest names its subject itself. `size` are
    the bytes of the manifest and of all under it. What belongs to a manifest that was there before
    is not repeated: `shown_above` is true then.
    """

    subject: Digest
    descriptor: Descriptor
    artifact_type: str
    tag: str | None
    size: int
    referrers: tuple[ReferrerNode, ...] = ()
    shown_above: bool = False


@dataclass(frozen=True, slots=True)
class ReferrerTree:
    """What belongs to an image and to its manifests; not `complete` if the source did not tell."""

    found: tuple[ReferrerNode, ...]
    complete: bool


def referrer_tree(graph: Graph) -> ReferrerTree | None:
    """Return what belongs to the manifests of a graph; None if that was not looked for."""
    if graph.referrers is None:
        return None
    content = graph.content()
    by_subject: dict[Digest, list[Referrer]] = {}
    for referrer in graph.referrers.found:
        by_subject.setdefault(referrer.subject, []).append(referrer)
    expanded: set[Digest] = set()

    def nodes(subject: Digest) -> tuple[ReferrerNode, ...]:
        return tuple(node(referrer) for referrer in by_subject.pop(subject, ()))

    def node(referrer: Referrer) -> ReferrerNode:
        digest = referrer.manifest.digest
        above = digest in expanded
        expanded.add(digest)
        return ReferrerNode(
            referrer.subject,
            referrer.manifest,
            referrer.artifact_type,
            referrer.tag,
            _size(digest, content),
            () if above else nodes(digest),
            shown_above=above,
        )

    image = [graph.root.digest, *(child.digest for child in graph.named)]
    found = [shown for digest in image for shown in nodes(digest)]
    # What refers to a manifest in an index that is a referrer itself.
    found += [shown for digest in list(by_subject) for shown in nodes(digest)]
    return ReferrerTree(tuple(found), graph.referrers.complete)


def _size(root: Digest, content: Mapping[Digest, Manifest]) -> int:
    """Return the bytes of a manifest and all under it, each digest once."""
    sizes: dict[Digest, int] = {}
    waiting = [content[root]]
    while waiting:
        manifest = waiting.pop()
        sizes[manifest.digest] = manifest.descriptor.size
        sizes.update((blob.digest, blob.size) for blob in manifest.blobs())
        children = (content.get(child.digest) for child in manifest.manifests)
        waiting += [child for child in children if child and child.digest not in sizes]
    return sum(sizes.values())
