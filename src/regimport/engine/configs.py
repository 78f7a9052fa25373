"""The configurations of images: when each was created, and for which platform."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from regimport.engine.ends import Source
from regimport.engine.walk import Graph
from regimport.engine.workers import Workers
from regimport.errors import DeadlineExceeded, Interrupted, RegimportError
from regimport.large import LARGE_BYTES, begin_large, one_large
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest, Verifier
from regimport.models.platform import Platform

__all__ = ["ImageConfig", "read_configs"]

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


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What an image's configuration says of it; what it does not say is None."""

    created: datetime | None = None
    platform: Platform | None = None

    @classmethod
    def parse(cls, raw: bytes) -> ImageConfig:
        """Read a configuration (OCI image specification, config.md); what is invalid is None."""
        try:
            with one_large():
                if len(raw) > LARGE_BYTES:
                    begin_large()
                document = json.loads(raw)
        except (ValueError, RecursionError):
            return cls()
        if not isinstance(document, Mapping):
            return cls()
        return cls(_time(document.get("created")), Platform.from_json(document))


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
    blobs = list({blob.digest: blob for blob in wanted.values()}.values())[:_MAX_CONFIGS]
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


def _time(value: object) -> datetime | None:
    """Return a time of RFC 3339 in UTC; the year 1 is how Go writes that there is none."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if found.year > 1 else None
