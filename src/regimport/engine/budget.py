"""How much of an image's manifests is kept at once, whatever a registry sends."""

from __future__ import annotations

import threading

from regimport.errors import InvalidManifest
from regimport.models.manifest import Manifest

__all__ = ["Budget"]

# All manifests of an image together, in bytes: registries need not take more than 4 MiB for one,
# and those of an image for fifty platforms have some 100 KiB. Their text may take four times that.
MAX_GRAPH_BYTES = 32 * 1024 * 1024
# Their descriptors and annotations, of which each takes some 600 bytes of memory.
MAX_PARTS = 100_000


class Budget:
    """What the manifests of one image may take; shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = 0
        self._parts = 0

    def spend(self, manifest: Manifest) -> Manifest:
        """Count a manifest, and return it; raise `InvalidManifest` once all are too large."""
        found = (*manifest.blobs(), *manifest.manifests)
        with self._lock:
            self._bytes += len(manifest.raw)
            self._parts += len(found) + sum(len(part.annotations) for part in found)
        if self._bytes <= MAX_GRAPH_BYTES and self._parts <= MAX_PARTS:
            return manifest
        # Not kept with the error: many threads may get one.
        del manifest, found
        self.check()
        raise AssertionError

    def check(self) -> None:
        """Raise `InvalidManifest` if it is spent, so that nothing more need be read."""
        if self._bytes > MAX_GRAPH_BYTES:
            raise InvalidManifest(
                f"the manifests of the image have more than {MAX_GRAPH_BYTES} bytes"
            )
        if self._parts > MAX_PARTS:
            raise InvalidManifest(
                f"the manifests of the image name more than {MAX_PARTS} things, with annotations"
            )
