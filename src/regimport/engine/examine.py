"""What an image is made of: its manifest tree, and how many bytes that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from regimport.engine.limits import violations
from regimport.engine.referrer_tree import ReferrerTree
from regimport.engine.walk import Graph
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.image_config import ImageConfig
from regimport.models.manifest import Manifest
from regimport.options import Limits
from regimport.values import dataclass

__all__ = ["Inspection", "Node", "examine"]


@dataclass(frozen=True, slots=True)
class Node:
    """A manifest of the tree, as its parent describes it, with what is under it.

    What is under a manifest that was there before is not repeated: `shown_above` is true then.
    `size` are the bytes of this manifest and all under it, shared content counted each time.
    `image` is what its configuration says, None if that is no image's, or could not be read.
    """

    descriptor: Descriptor
    artifact_type: str | None
    config: Descriptor | None
    layers: tuple[Descriptor, ...]
    children: tuple[Node, ...]
    image: ImageConfig | None = None
    size: int = 0
    shown_above: bool = False

    @property
    def created(self) -> datetime | None:
        """When the image was created, None if its configuration does not say so."""
        return None if self.image is None else self.image.created

    @property
    def title(self) -> str:
        """The platform of a manifest, or else what it is."""
        platform = self.descriptor.platform
        if platform is not None and platform.known:
            return str(platform)
        kind = self.descriptor.annotations.get("vnd.docker.reference.type")
        return kind or self.artifact_type or "no platform"


@dataclass(frozen=True, slots=True)
class Inspection:
    """An image as it stands in its registry.

    `manifests` and `blobs` count as a copy of the image counts: the root too, each digest once.
    `total_bytes` counts shared content as often as it is named, `unique_bytes` once. `violations`
    are the limits it exceeds, none if it may be copied. None of these count `referrers`, which is
    what belongs to it, or None if that was not asked for.
    """

    reference: str
    root: Node
    manifests: int
    blobs: int
    total_bytes: int
    unique_bytes: int
    violations: tuple[str, ...]
    referrers: ReferrerTree | None = None


def examine(
    reference: str,
    graph: Graph,
    limits: Limits,
    configs: Mapping[Digest, ImageConfig],
    referrers: ReferrerTree | None = None,
) -> Inspection:
    """Sum a graph up, all of whose manifests were read; `configs` are those that were, too."""
    content = {manifest.digest: manifest for manifest in graph.manifests}
    root = _node(graph.root, content, configs, {})
    blobs = {blob.digest: blob.size for found in graph.manifests for blob in found.blobs()}
    return Inspection(
        reference,
        root,
        len({graph.root, *graph.named}),
        len(blobs),
        root.size,
        sum(blobs.values()) + sum(found.descriptor.size for found in graph.manifests),
        tuple(violations(graph, limits)),
        referrers,
    )


def _node(
    descriptor: Descriptor,
    content: Mapping[Digest, Manifest],
    configs: Mapping[Digest, ImageConfig],
    known: dict[Digest, Node],
) -> Node:
    """Return the tree under a manifest, each of which is unfolded once; `known` are those."""
    manifest = content[descriptor.digest]
    image = configs.get(descriptor.digest)
    platform = descriptor.platform or (None if image is None else image.platform)
    above = known.get(descriptor.digest)
    children = manifest.manifests if above is None else ()
    node = Node(
        replace(descriptor, platform=platform),
        descriptor.artifact_type or manifest.artifact_type,
        manifest.config,
        manifest.layers if above is None else (),
        tuple(_node(child, content, configs, known) for child in children),
        image,
        shown_above=above is not None,
    )
    if above is not None:
        return replace(node, size=above.size)
    own = descriptor.size + sum(blob.size for blob in manifest.blobs())
    node = replace(node, size=own + sum(child.size for child in node.children))
    known[descriptor.digest] = node
    return node
