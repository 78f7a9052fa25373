"""A source whose manifests are read where that costs nothing, if they have been read before."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from regimport.engine.ends import Source, SourceWrapper
from regimport.errors import InvalidManifest
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest

__all__ = ["CachedManifests", "ManifestStore"]


class ManifestStore(Protocol):
    """Where the bytes of manifests are kept by digest, for this run or for later ones."""

    def get(self, digest: Digest) -> bytes | None:
        """Return the content that hashes to a digest; None if it is not there."""

    def put(self, digest: Digest, content: bytes) -> None:
        """Keep content; never raises."""


class CachedManifests(SourceWrapper):
    """A source with a store of manifests; shared by threads.

    A manifest is taken from the store only if the source has said in this run that it has it and
    shows it to this user: it answered a HEAD with its digest, or it is named by a manifest of which
    that is true.
    """

    def __init__(self, source: Source, open_store: Callable[[], ManifestStore]) -> None:
        super().__init__(source)
        self._open_store = open_store
        # Changed by several threads, each time with a single call.
        self._shown: set[Digest] = set()

    def head_manifest(self, reference: str) -> Descriptor | None:
        """Ask what a tag or a digest points to."""
        found = self._source.head_manifest(reference)
        if found is not None:
            self._shown.add(found.digest)
        return found

    def get_manifest(self, reference: str) -> Manifest:
        """Read a manifest, here or there."""
        manifest = self.known(reference)
        if manifest is None:
            manifest = self._source.get_manifest(reference)
            self._keep(manifest)
        self._shown.add(manifest.digest)
        self._shown.update(child.digest for child in manifest.manifests)
        return manifest

    def known(self, reference: str) -> Manifest | None:
        """Return a manifest that the store has, if it may be taken from there; None otherwise."""
        if reference not in self._shown:
            return None
        digest = Digest(reference)
        content = self._open_store().get(digest)
        if content is None:
            return None
        with suppress(InvalidManifest):
            return Manifest.parse(content, algorithm=digest.algorithm)
        return None

    def _keep(self, manifest: Manifest) -> None:
        """Keep a manifest, if its bytes alone say of what type it is."""
        if manifest.served_as is not None:
            return
        with suppress(InvalidManifest):
            if Manifest.parse(manifest.raw).media_type == manifest.media_type:
                self._open_store().put(manifest.digest, manifest.raw)
