"""The limits on an image, checked on its graph before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from regimport.engine.walk import Graph
from regimport.errors import LimitExceeded
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.platform import Platform
from regimport.options import Limits

__all__ = ["check_count", "check_limits", "violations"]


def check_limits(graph: Graph, limits: Limits) -> None:
    """Raise `LimitExceeded`, naming every offender, if the image is over a limit."""
    _raise(tuple(violations(graph, limits)))


def _raise(found: tuple[str, ...]) -> None:
    if found:
        raise LimitExceeded(
            found,
            hint="if the target takes such an image, raise the limit or lift it: "
            "`max_manifests`, `max_layer_size`",
        )


def check_count(named: Sequence[Descriptor], limits: Limits) -> None:
    """Raise `LimitExceeded` if an image names too many manifests, of which none need be read."""
    _raise(tuple(_too_many(named, limits)))


def violations(graph: Graph, limits: Limits) -> Iterator[str]:
    """Yield a line for every limit that is exceeded and for every offender."""
    yield from _too_many(graph.named, limits)
    allowed = limits.max_layer_size
    if allowed is None:
        return
    for layer, platform in _layers(graph):
        if layer.size > allowed:
            size, limit = _sizes(layer.size, allowed)
            yield (
                f"layer {layer.digest}{_of(platform)} is {size}; the limit is {limit} "
                "(`max_layer_size`)"
            )


def _too_many(named: Sequence[Descriptor], limits: Limits) -> Iterator[str]:
    count = len(named) or 1
    if limits.max_manifests is not None and count > limits.max_manifests:
        yield f"the image has {count} manifests; the limit is {limits.max_manifests}:"
        for manifest in named:
            size = f", {manifest.size} bytes" if manifest.has_size else ""
            yield f"  manifest {manifest.digest}{_of(manifest.platform)}{size}"


def _of(platform: Platform | None) -> str:
    return "" if platform is None else f" of {platform}"


def _sizes(size: int, limit: int) -> tuple[str, str]:
    """Return both in the unit of the limit, or in bytes if they would look the same."""
    power = next((power for power in (3, 2, 1) if limit >= 1024**power), 0)
    unit = 1024**power
    name = ("bytes", "KiB", "MiB", "GiB")[power]
    shown = f"{size / unit:.1f} {name}"
    allowed = f"{limit // unit}" if limit % unit == 0 else f"{limit / unit:.1f}"
    if power == 0 or f"{limit / unit:.1f} {name}" == shown:
        return f"{size} bytes", f"{limit} bytes"
    return shown, f"{allowed} {name}"


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
