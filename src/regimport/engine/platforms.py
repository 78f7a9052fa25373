"""Finds the manifest of an image for the platform that the user wants.

An index is never rewritten, since that would change its digest: of one platform, its own manifest
becomes the root that is copied.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NoReturn

from regimport.engine.ends import Source
from regimport.engine.reading import BlobReader
from regimport.engine.retrying import RetryContext
from regimport.engine.sizes import described, measured
from regimport.engine.walk import Graph, visit_levels
from regimport.errors import InvalidOptions, NotFound, Side
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import MAX_MANIFEST_BYTES, Manifest
from regimport.models.mediatype import INDEX_TYPES
from regimport.models.platform import Platform

__all__ = ["choose", "only"]


def choose(
    source: Source, reference: str, wanted: Sequence[Platform], retry: RetryContext
) -> Descriptor:
    """Return the one manifest under `reference` that is for the platform wanted.

    Raise `InvalidOptions` if several are, and `NotFound`, naming the platforms that there are, if
    none is.
    """
    platforms = list(dict.fromkeys(wanted))
    if len(platforms) > 1:
        raise InvalidOptions(
            "an image is copied for all its platforms or for one: with some of them it would have "
            "another digest",
            hint="leave out `platforms` to copy all, or copy each to a tag of its own",
        )
    (platform,) = platforms
    manifest = source.get_manifest(reference)
    if manifest.media_type not in INDEX_TYPES:
        return _itself(source, manifest, platform, retry)
    found = _leaves(source, manifest)
    matching = _matching(found, platform)
    if not matching:
        _none(source, [platform], found)
    if len(matching) > 1:
        raise _several(platform, matching).located(Side.SOURCE, source.name)
    return matching[0]


def _several(wanted: Platform, matching: Sequence[Descriptor]) -> InvalidOptions:
    names = [str(child.platform) for child in matching]
    if len(set(names)) == len(names):
        hint = f"write one of {', '.join(sorted(names))}"
    else:
        hint = "copy the one that is meant by its digest"
    listed = ", ".join(f"{child.digest} ({child.platform})" for child in matching)
    return InvalidOptions(f"{len(matching)} manifests are for {wanted}: {listed}", hint=hint)


def only(source: Source, graph: Graph, wanted: Sequence[Platform], retry: RetryContext) -> Graph:
    """Leave out of a graph, all of which was read, the manifests for other platforms.

    Raise `NotFound`, naming the platforms that there are, if nothing is for one that is wanted.
    """
    content = {manifest.digest: manifest for manifest in graph.manifests}
    root = content[graph.root.digest]
    if root.media_type not in INDEX_TYPES:
        for platform in wanted:
            _itself(source, root, platform, retry)
        return graph
    leaves = [child for child in graph.named if child.media_type not in INDEX_TYPES]
    missing = [platform for platform in wanted if not _matching(leaves, platform)]
    if missing:
        _none(source, missing, leaves)
    kept = {child.digest for platform in wanted for child in _matching(leaves, platform)}
    # From the leaves up: an index stays where something under it does.
    for manifest in reversed(graph.manifests):
        if any(child.digest in kept for child in manifest.manifests):
            kept.add(manifest.digest)
    return replace(
        graph,
        manifests=tuple(_cut(found, kept) for found in graph.manifests if found.digest in kept),
        named=tuple(child for child in graph.named if child.digest in kept),
    )


def _cut(manifest: Manifest, kept: set[Digest]) -> Manifest:
    """Return a manifest as a tree shows it, without the children that are left out."""
    children = tuple(child for child in manifest.manifests if child.digest in kept)
    return replace(manifest, manifests=children)


def _leaves(source: Source, index: Manifest) -> list[Descriptor]:
    """Return the manifests that an index names, and the indexes in it, each once."""
    read = {index.digest: index}

    def visit(level: Sequence[Descriptor]) -> Iterator[Manifest]:
        for child in level:
            if child.digest not in read and (
                child.media_type in INDEX_TYPES or not child.media_type
            ):
                read[child.digest] = source.get_manifest(child.digest)
            if child.digest in read:
                yield read[child.digest]

    named = visit_levels(index.descriptor, visit, Side.SOURCE, source.name)
    found = (described(child, read) for child in named)
    return [child for child in found if child.media_type not in INDEX_TYPES]


def _matching(found: Sequence[Descriptor], wanted: Platform) -> list[Descriptor]:
    """Return the manifests for a platform.

    Of several, those of its usual variant; of these, those that name the variant as `wanted` does.
    """
    matching = [child for child in found if child.platform and child.platform.matches(wanted)]
    usual = [child for child in matching if child.platform and child.platform.matches(wanted.usual)]
    if len(matching) > 1 and usual:
        matching = usual
    exact = [
        child for child in matching if child.platform and child.platform.variant == wanted.variant
    ]
    return exact if len(matching) > 1 and exact else matching


def _itself(
    source: Source, manifest: Manifest, wanted: Platform, retry: RetryContext
) -> Descriptor:
    """Return an image that is in no index, if its configuration says that it is for `wanted`."""
    own = None if manifest.config is None else _platform_of(source, manifest.config, retry)
    descriptor = replace(manifest.descriptor, platform=own)
    if own is None or not own.matches(wanted):
        _none(source, [wanted], [descriptor])
    return descriptor


def _platform_of(source: Source, config: Descriptor, retry: RetryContext) -> Platform | None:
    """Read the platform in an image's configuration (OCI image specification, config.md)."""
    if not config.media_type.endswith("json") and config.media_type:
        return None
    config = measured(source, config, MAX_MANIFEST_BYTES)
    if config.size > MAX_MANIFEST_BYTES:
        return None
    content = b"".join(bytes(piece) for piece in BlobReader(config, source, retry).pieces())
    try:
        return Platform.from_json(json.loads(content))
    except (ValueError, RecursionError):
        return None


def _none(source: Source, wanted: Sequence[Platform], found: Sequence[Descriptor]) -> NoReturn:
    there = sorted(
        {str(child.platform) for child in found if child.platform and child.platform.known}
    )
    raise NotFound(
        f"the source has nothing for {', '.join(map(str, wanted))}",
        hint=f"there is {', '.join(there)}" if there else "the image is for no platform at all",
    ).located(Side.SOURCE, source.name)
