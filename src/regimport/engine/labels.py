"""Which platform each manifest and each blob of an image is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from regimport.engine.walk import Graph
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.platform import Platform

__all__ = ["labeller"]


def labeller(graph: Graph) -> Callable[[Descriptor], Descriptor]:
    """Return a function that returns a descriptor of the image with its platform in it.

    An index names the platform of its manifests (OCI image specification, image-index.md); their
    blobs are for the same one. A blob that several platforms share is for none.
    """
    described = {descriptor.digest: descriptor.platform for descriptor in graph.named}
    platforms: dict[Digest, Platform | None] = dict(described)
    for manifest in graph.manifests:
        platform = described.get(manifest.digest)
        for blob in manifest.blobs():
            if platforms.setdefault(blob.digest, platform) != platform:
                platforms[blob.digest] = None

    def label(descriptor: Descriptor) -> Descriptor:
        return replace(descriptor, platform=platforms.get(descriptor.digest))

    return label
