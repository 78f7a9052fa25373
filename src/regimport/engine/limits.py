"""The limits on an image, checked on its graph before anything is written."""

from __future__ import annotations

from collections.abc import Iterator

from regimport.engine.walk import Graph
from regimport.errors import LimitExceeded
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.platform import Platform
from regimport.options import Limits

__all__ = ["check_limits", "violations"]


def check_limits(graph: Graph, limits: Limits) -> None:
    """Raise `LimitExceeded`, naming every offender, if the image is over a limit."""
    found = tuple(violations(graph, limits))
    if found:
        raise LimitExceeded(
            found,
            hint="if the target takes such an image, lift the limit: "
            "--max-manifests N|none, --max-layer-size SIZE|none",
        )


def violations(graph: Graph, limits: Limits) -> Iterator[str]:
    """Yield a line for every limit that is exceeded and for every offender."""
    named = graph.named
    count = len(named) or 1
    if limits.max_manifests is not None and count > limits.max_manifests:
        yield f"{count} manifests, {limits.max_manifests} allowed:"
        for descriptor in named:
            yield f"  manifest {_describe(descriptor, descriptor.platform)}"
    allowed = limits.max_layer_size
    if allowed is None:
        return
    over = [item for item in _layers(graph) if item[0].size > allowed]
    if over:
        yield f"{len(over)} layers larger than {allowed} bytes:"
        for layer, platform in over:
            yield f"  layer {_describe(layer, platform)}"


def _layers(graph: Graph) -> Iterator[tuple[Descriptor, Platform | None]]:
    """Yield every layer of every manifest that was read, once for each platform."""
    platforms = {descriptor.digest: descriptor.platform for descriptor in graph.named}
    seen: set[tuple[Digest, Platform | None]] = set()
    for manifest in graph.manifests:
        platform = platforms.get(manifest.digest)
        for layer in manifest.layers:
            if (layer.digest, platform) not in seen:
                seen.add((layer.digest, platform))
                yield layer, platform


def _describe(descriptor: Descriptor, platform: Platform | None) -> str:
    return f"{descriptor.digest}  {platform or 'no platform'}  {descriptor.size} bytes"
