"""manifest.json: what `docker load` reads, beside the index of a layout."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from regimport.errors import InvalidReference
from regimport.layout.files import blob_parts
from regimport.layout.index import Index
from regimport.layout.reader import Contents, load_manifest
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.platform import Platform

__all__ = ["list_loadable"]

_CONFIGS = frozenset(
    {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    }
)
_MAX_DEPTH = 8


def list_loadable(contents: Contents, index: Index) -> bytes | None:
    """Return the manifest.json for the images that `index` lists; None if there are none.

    An index stands there with one image: that for Linux on this machine's architecture, or else its
    first one. Only images are listed whose config and layers are all there.
    """
    names: dict[Digest, list[str]] = {}
    images: dict[Digest, Manifest] = {}
    for entry in index.entries:
        image = _choose(list(_images(contents, entry.descriptor)))
        if image is not None:
            images[image.digest] = image
            named = names.setdefault(image.digest, [])
            if entry.image is not None and entry.image not in named:
                named.append(entry.image)
    listed = [
        {
            "Config": _path(image.config),
            "RepoTags": names[digest] or None,
            "Layers": [_path(layer) for layer in image.layers],
        }
        for digest, image in images.items()
        if image.config is not None
    ]
    return json.dumps(listed, separators=(",", ":")).encode() if listed else None


def _images(
    contents: Contents, root: Descriptor, depth: int = 0
) -> Iterator[tuple[Platform | None, Manifest]]:
    """Yield the images under a manifest that are whole, with their platforms."""
    manifest = load_manifest(contents, root.digest, root.media_type)
    if manifest is None or depth > _MAX_DEPTH:
        return
    for child in manifest.manifests:
        yield from _images(contents, child, depth + 1)
    config = manifest.config
    if config is None or config.media_type not in _CONFIGS:
        return
    if all(contents.size(*blob_parts(blob.digest)) is not None for blob in manifest.blobs()):
        yield root.platform, manifest


def _choose(images: list[tuple[Platform | None, Manifest]]) -> Manifest | None:
    try:
        wanted = Platform.parse(f"linux/{os.uname().machine}")
    except InvalidReference:
        wanted = Platform("linux", "amd64")
    fitting = (image for platform, image in images if platform and platform.matches(wanted))
    return next(fitting, images[0][1] if images else None)


def _path(blob: Descriptor) -> str:
    return "/".join(blob_parts(blob.digest))
