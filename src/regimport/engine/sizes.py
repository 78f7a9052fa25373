"""The sizes and media types that an image's descriptors do not say, found out at the source.

Some programs write descriptors without a size, or with 0 or -1 (buildkit#4328). The digest decides
whether the content is right; its length must be known to send it, and to hold the limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from regimport.engine.ends import Source
from regimport.engine.workers import Workers
from regimport.errors import NotFound
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.mediatype import is_foreign_layer

__all__ = ["completed", "described", "measured", "sizes_of_blobs"]


def sizes_of_blobs(
    source: Source, manifests: Mapping[Digest, Manifest], workers: Workers, largest: int | None
) -> dict[Digest, int]:
    """Return the sizes of the blobs of which a manifest names none.

    They are those in another manifest, or else those at the source; `largest` is that of
    `measured`.
    """
    blobs = [blob for manifest in manifests.values() for blob in manifest.blobs()]
    unsized = {blob.digest: blob for blob in blobs if not blob.has_size}
    if not unsized:
        return {}
    known = {blob.digest: blob.size for blob in blobs if blob.has_size}
    wanted = [blob for blob in unsized.values() if blob.digest not in known]
    found = workers.map(partial(_size, source, largest=largest), wanted)
    return known | {blob.digest: size for blob, size in zip(wanted, found, strict=True)}


def measured(source: Source, blob: Descriptor, largest: int | None = None) -> Descriptor:
    """Return a blob's descriptor with its size, as the source states it, or else counted.

    Counting ends once there are more than `largest` bytes.
    """
    if blob.has_size:
        return blob
    stated = source.blob_size(blob.digest)
    if stated:
        return replace(blob, size=stated)
    count = 0
    with source.read_blob(blob) as pieces:
        for piece in pieces:
            count += len(piece)
            if largest is not None and count > largest:
                break
    return replace(blob, size=count)


def completed(
    manifest: Manifest, manifests: Mapping[Digest, Manifest], sizes: Mapping[Digest, int]
) -> Manifest:
    """Return a manifest whose descriptors say what is known from `manifests` and `sizes`."""

    def complete(descriptor: Descriptor) -> Descriptor:
        if not descriptor.has_size:
            size = sizes.get(descriptor.digest, descriptor.size)
            descriptor = replace(descriptor, size=size)
        return described(descriptor, manifests)

    parts = (manifest.config, *manifest.layers, *manifest.manifests)
    if all(part is None or (part.has_size and part.media_type) for part in parts):
        return manifest
    return replace(
        manifest,
        config=None if manifest.config is None else complete(manifest.config),
        layers=tuple(map(complete, manifest.layers)),
        manifests=tuple(map(complete, manifest.manifests)),
    )


def described(descriptor: Descriptor, manifests: Mapping[Digest, Manifest]) -> Descriptor:
    """Return a manifest's descriptor with the size and the media type of what was read."""
    read = manifests.get(descriptor.digest)
    if read is None or (descriptor.has_size and descriptor.media_type):
        return descriptor
    return replace(
        descriptor,
        size=read.descriptor.size,
        media_type=descriptor.media_type or read.media_type,
    )


def _size(source: Source, blob: Descriptor, largest: int | None) -> int:
    try:
        return measured(source, blob, largest).size
    except NotFound:
        if is_foreign_layer(blob.media_type):
            return 0
        raise
