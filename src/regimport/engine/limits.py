"""The limits on an image, checked on its plan before anything is written."""

from __future__ import annotations

from collections.abc import Iterator

from regimport.engine.plan import Plan
from regimport.errors import LimitExceeded
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.platform import Platform
from regimport.options import Limits

__all__ = ["check_limits", "violations"]


def check_limits(plan: Plan, limits: Limits) -> None:
    """Raise `LimitExceeded`, naming every offender, if the planned image is over a limit."""
    found = tuple(violations(plan, limits))
    if found:
        raise LimitExceeded(
            found,
            hint="if the target takes such an image, lift the limit: "
            "--max-manifests N|none, --max-layer-size SIZE|none",
        )


def violations(plan: Plan, limits: Limits) -> Iterator[str]:
    """Give a line for every limit that is exceeded and for every offender."""
    named = plan.graph.named
    count = len(named) or 1
    if limits.max_manifests is not None and count > limits.max_manifests:
        yield f"{count} manifests, {limits.max_manifests} allowed:"
        for descriptor in named:
            yield f"  manifest {_describe(descriptor, descriptor.platform)}"
    allowed = limits.max_layer_size
    if allowed is None:
        return
    over = [item for item in _layers(plan) if item[0].size > allowed]
    if over:
        yield f"{len(over)} layers larger than {allowed} bytes:"
        for layer, platform in over:
            yield f"  layer {_describe(layer, platform)}"


def _layers(plan: Plan) -> Iterator[tuple[Descriptor, Platform | None]]:
    """Give every layer of every manifest that was read, once a platform."""
    platforms = {descriptor.digest: descriptor.platform for descriptor in plan.graph.named}
    seen: set[tuple[Digest, Platform | None]] = set()
    for manifest in plan.graph.manifests:
        platform = platforms.get(manifest.digest)
        for layer in manifest.layers:
            if (layer.digest, platform) not in seen:
                seen.add((layer.digest, platform))
                yield layer, platform


def _describe(descriptor: Descriptor, platform: Platform | None) -> str:
    return f"{descriptor.digest}  {platform or 'no platform'}  {descriptor.size} bytes"
