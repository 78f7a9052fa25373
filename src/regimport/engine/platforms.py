"""Which manifest of an image is for the platform that the user wants.

An index is never rewritten, since that would change its digest: of one platform, its own manifest
becomes the root that is copied.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NoReturn

from regimport.engine.ends import Source
from regimport.engine.reading import BlobReader, Patience
from regimport.engine.walk import MAX_DEPTH, Graph
from regimport.errors import (
    InvalidManifest,
    InvalidOptions,
    NotFound,
    Side,
)
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import MAX_MANIFEST_BYTES, Manifest
from regimport.models.mediatype import INDEX_TYPES
from regimport.models.platform import Platform
from regimport.redact import safe_text

__all__ = ["choose", "only"]


def choose(
    source: Source, reference: str, wanted: Sequence[Platform], patience: Patience
) -> Descriptor:
    """Give the one manifest under `reference` that is for the platform wanted.

    Raises `InvalidOptions` where that is not one, and `NotFound`, naming what there is, where
    there is none.
    """
    platforms = list(dict.fromkeys(wanted))
    if len(platforms) > 1:
        raise InvalidOptions(
            "an image is copied for all platforms or for one: an index of some of them would be "
            "another index, with another digest",
            hint="give --platform once, or leave it out; or copy each platform to a tag of its own",
        )
    (platform,) = platforms
    manifest = source.get_manifest(reference)
    if manifest.media_type not in INDEX_TYPES:
        return _itself(source, manifest, platform, patience)
    found = list(_leaves(source, manifest))
    matching = _matching(found, platform)
    if not matching:
        _none(source, [platform], found)
    if len(matching) > 1:
        raise InvalidOptions(
            f"{len(matching)} manifests are for {platform}: "
            + ", ".join(f"{one.digest} ({_full(one.platform)})" for one in matching),
            hint="name the variant, or copy the one that is meant by its digest",
        ).located(Side.SOURCE, source.name)
    return matching[0]


def only(source: Source, graph: Graph, wanted: Sequence[Platform], patience: Patience) -> Graph:
    """Leave out of a graph, all of which was read, the manifests for other platforms.

    Raises `NotFound`, naming what there is, where there is nothing for one that is wanted.
    """
    content = {manifest.digest: manifest for manifest in graph.manifests}
    root = content[graph.root.digest]
    if root.media_type not in INDEX_TYPES:
        for platform in wanted:
            _itself(source, root, platform, patience)
        return graph
    leaves = [one for one in graph.named if one.media_type not in INDEX_TYPES]
    missing = [platform for platform in wanted if not _matching(leaves, platform)]
    if missing:
        _none(source, missing, leaves)
    kept = {one.digest for platform in wanted for one in _matching(leaves, platform)}
    # From the leaves up: an index stays where something under it does.
    for manifest in reversed(graph.manifests):
        if any(child.digest in kept for child in manifest.manifests):
            kept.add(manifest.digest)
    return replace(
        graph,
        manifests=tuple(_cut(one, kept) for one in graph.manifests if one.digest in kept),
        named=tuple(one for one in graph.named if one.digest in kept),
    )


def _cut(manifest: Manifest, kept: set[Digest]) -> Manifest:
    """Give a manifest as a tree shows it, without the children that are left out."""
    children = tuple(child for child in manifest.manifests if child.digest in kept)
    return replace(manifest, manifests=children)


def _leaves(source: Source, index: Manifest) -> Iterator[Descriptor]:
    """Give the manifests that an index names, those of indexes in it too, each once."""
    seen: set[Digest] = set()
    level = [index]
    for _ in range(MAX_DEPTH):
        children = [child for one in level for child in one.manifests]
        new = {child.digest: child for child in children if child.digest not in seen}
        seen.update(new)
        yield from (child for child in new.values() if child.media_type not in INDEX_TYPES)
        inner = [child for child in new.values() if child.media_type in INDEX_TYPES]
        if not inner:
            return
        level = [source.get_manifest(child.digest) for child in inner]
    raise InvalidManifest(f"the image nests indexes more than {MAX_DEPTH} deep")


def _matching(found: Sequence[Descriptor], wanted: Platform) -> list[Descriptor]:
    """Give the manifests for a platform; of several, the one with the variant that is usual."""
    known = [one for one in found if one.platform is not None and one.platform.matches(wanted)]
    usual = [one for one in known if one.platform and one.platform.matches(wanted.usual)]
    return usual if len(known) > 1 and usual else known


def _itself(source: Source, manifest: Manifest, wanted: Platform, patience: Patience) -> Descriptor:
    """Give an image that is in no index, if its configuration says that it is for a platform."""
    own = None if manifest.config is None else _platform_of(source, manifest.config, patience)
    descriptor = replace(manifest.descriptor, platform=own)
    if own is None or not own.matches(wanted):
        _none(source, [wanted], [descriptor])
    return descriptor


def _platform_of(source: Source, config: Descriptor, patience: Patience) -> Platform | None:
    """Read the platform in an image's configuration (OCI image specification, config.md)."""
    if not config.media_type.endswith("json") or config.size > MAX_MANIFEST_BYTES:
        return None
    content = b"".join(bytes(piece) for piece in BlobReader(config, source, patience).pieces())
    try:
        return Platform.from_json(json.loads(content))
    except (ValueError, RecursionError):
        return None


def _none(source: Source, wanted: Sequence[Platform], found: Sequence[Descriptor]) -> NoReturn:
    there = sorted({_full(one.platform) for one in found if one.platform and one.platform.known})
    raise NotFound(
        f"the source has nothing for {', '.join(map(str, wanted))}",
        hint=f"there is {', '.join(there)}" if there else "the image is for no platform at all",
    ).located(Side.SOURCE, source.name)


def _full(platform: Platform | None) -> str:
    if platform is None:
        return "no platform"
    version = safe_text(platform.os_version or "", 60)
    return f"{platform} {version}" if version else str(platform)
