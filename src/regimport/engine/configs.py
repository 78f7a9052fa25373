"""The configurations of an image's platforms, as far as they can be read."""

from __future__ import annotations

from collections.abc import Mapping

from regimport.engine.ends import Source
from regimport.engine.walk import Graph
from regimport.engine.workers import Workers
from regimport.errors import DeadlineExceeded, Interrupted, RegimportError
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest, Verifier
from regimport.models.image_config import ImageConfig

__all__ = ["read_configs"]

# Artifacts have configurations too, which say other things.
_CONFIG_TYPES = frozenset(
    {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    }
)
# The largest configuration that is read, in bytes, and how many of an image are: those that are
# built have a few KiB, and a platform each.
_MAX_BYTES = 1024 * 1024
_MAX_CONFIGS = 200
# All of an image's, in bytes: what they say is kept, and takes up to twenty times that in memory.
_MAX_BYTES_OF_ALL = 8 * 1024 * 1024


def read_configs(source: Source, graph: Graph, workers: Workers) -> Mapping[Digest, ImageConfig]:
    """Return the configurations of the graph's images, by the digests of their manifests.

    One that is too large, or cannot be read for whatever reason, is left out.
    """
    wanted = {
        manifest.digest: manifest.config
        for manifest in graph.manifests
        if manifest.config is not None
        and manifest.config.media_type in _CONFIG_TYPES
        and manifest.config.size <= _MAX_BYTES
    }
    blobs: list[Descriptor] = []
    left = _MAX_BYTES_OF_ALL
    for blob in {blob.digest: blob for blob in wanted.values()}.values():
        left -= max(0, blob.size)
        if left >= 0 and len(blobs) < _MAX_CONFIGS:
            blobs.append(blob)
    read = workers.map(lambda blob: _read(source, blob), blobs)
    known = {
        blob.digest: config for blob, config in zip(blobs, read, strict=True) if config is not None
    }
    return {
        manifest: known[blob.digest] for manifest, blob in wanted.items() if blob.digest in known
    }


def _read(source: Source, blob: Descriptor) -> ImageConfig | None:
    verifier, content = Verifier(blob.digest, blob.size), bytearray()
    try:
        with source.read_blob(blob, 0) as pieces:
            for piece in pieces:
                verifier.update(piece)
                content += piece
        verifier.check()
    except (Interrupted, DeadlineExceeded):
        raise
    except RegimportError:
        return None
    return ImageConfig.parse(bytes(content))
