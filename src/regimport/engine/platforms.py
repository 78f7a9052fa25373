"""Finds the part of an image that is for the platforms that the user wants.

Of one platform, its own manifest becomes the root that is copied; of several, a new index.
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
from regimport.engine.subset import SubsetSource, attested_by, make_subset
from regimport.engine.walk import Graph, visit_levels
from regimport.errors import InvalidOptions, NotFound, Side
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import MAX_MANIFEST_BYTES, Manifest
from regimport.models.mediatype import INDEX_TYPES
from regimport.models.platform import Platform, Selection

__all__ = ["choose", "cut", "only"]


def choose(
    source: Source, manifest: Manifest, wanted: Sequence[Platform], retry: RetryContext
) -> Descriptor:
    """Return the one manifest of an image that is for the platform wanted.

    `manifest` is the image's root. Raise `InvalidOptions` if several are, and `NotFound`, naming
    the platforms that there are, if none is.
    """
    (platform,) = wanted
    if manifest.media_type not in INDEX_TYPES:
        return _itself(source, manifest, platform, retry)
    found, _ = _leaves(source, manifest)
    matching = _matching(found, platform)
    if not matching:
        _none(source, [platform], found)
    if len(matching) > 1:
        raise _several(platform, matching).located(Side.SOURCE, source.name)
    return matching[0]


def cut(
    source: Source, manifest: Manifest, part: Selection, retry: RetryContext
) -> tuple[Source, Manifest]:
    """Return the index of a part of an image, and a source that has it.

    `manifest` is the image's root. Where nothing is left out, that is the index; so it is for an
    image without one. Raise `NotFound`, naming the platforms that there are, if nothing is for one
    that is wanted.
    """
    if manifest.media_type not in INDEX_TYPES:
        for platform in part.platforms:
            _itself(source, manifest, platform, retry)
        return source, manifest
    leaves, indexes = _leaves(source, manifest)
    images = [child for child in leaves if attested_by(child) is None]
    kept = {child.digest for child in images}
    if part.platforms:
        missing = [platform for platform in part.platforms if not _matching(images, platform)]
        if missing:
            _none(source, missing, images)
        kept = {child.digest for each in part.platforms for child in _matching(images, each)}
    if part.attestations:
        kept |= {child.digest for child in leaves if attested_by(child) in kept}
    index, new = make_subset(manifest, indexes, kept, part)
    if index is None:
        raise NotFound(
            f"without its attestations, nothing is left of {manifest.digest}",
            hint="leave `attestations` out",
        ).located(Side.SOURCE, source.name)
    return (SubsetSource(source, new) if new else source), index


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


def _leaves(source: Source, index: Manifest) -> tuple[list[Descriptor], dict[Digest, Manifest]]:
    """Return the manifests under an index, each once; and the indexes among them, read."""
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
    indexes = {
        digest: manifest for digest, manifest in read.items() if manifest.media_type in INDEX_TYPES
    }
    return [child for child in found if child.digest not in indexes], indexes


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
