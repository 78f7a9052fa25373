"""The repositories, tags and blobs of the registry, stored in one image layout."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Collection, Iterable
from pathlib import Path

from regimport.errors import ContentMismatch, InvalidManifest
from regimport.layout.files import Files, blob_parts
from regimport.layout.index import MAX_INDEX_BYTES, Entry, Index
from regimport.layout.reader import load_manifest
from regimport.layout.writer import named_below
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import MAX_MANIFEST_BYTES, Manifest
from regimport.models.mediatype import is_foreign_layer
from regimport.models.reference import is_repository
from regimport.server.answers import Refusal
from regimport.server.links import Links
from regimport.server.names import default_repository, owner
from regimport.server.registry_index import RegistryIndex

__all__ = ["Store"]

logger = logging.getLogger(__name__)


class Store:
    """A registry's content in one folder: an image layout, and links next to it.

    index.json defines the tags, and other tools may read and write the layout at the same time.
    The links define which repository has which blobs and manifests.
    """

    def __init__(self, directory: str | Path) -> None:
        # Not durable: waiting for the disk after each small file would take most of the time, and a
        # killed process loses nothing without it.
        self.files = Files(directory, durable=False)
        self.files.create()
        self._links = Links(self.files)
        self._default = default_repository(self.files.root)
        self._children: dict[Digest, tuple[Descriptor, ...]] = {}
        self._seen: tuple[int, ...] | None = None
        self._index = self._view(Index())
        self._lock = threading.RLock()
        self._current()

    def repositories(self) -> list[str]:
        """Return all repositories, in lexical order."""
        return sorted(self._current().repositories() | self._links.repositories())

    def exists(self, repository: str) -> bool:
        """Return whether a repository exists."""
        current = self._current()
        return self._links.holds(repository) or repository in current.repositories()

    def tags(self, repository: str) -> list[str]:
        """Return the tags of a repository, in lexical order."""
        return sorted(self._current().tags(repository))

    def resolve(self, repository: str, reference: str) -> Descriptor | None:
        """Return what a tag or a digest of a repository points to; None if it does not exist."""
        current = self._current()
        if ":" in reference:
            digest = Digest(reference)
        else:
            target = current.tags(repository).get(reference)
            if target is None:
                return None
            digest = target.digest
        media_type = self._links.media_type(repository, digest)
        size = self.files.size(*blob_parts(digest))
        if media_type is None or size is None:
            return None
        return Descriptor(media_type, digest, size)

    def content(self, digest: Digest) -> bytes | None:
        """Return a manifest's bytes; None if they do not exist."""
        return self.files.read(*blob_parts(digest), limit=MAX_MANIFEST_BYTES)

    def blob_size(self, repository: str, digest: Digest) -> int | None:
        """Return the size of a blob of a repository; None if it does not have it."""
        self._current()
        if not self._links.has_blob(repository, digest):
            return None
        return self.files.size(*blob_parts(digest))

    def keep_blob(self, repository: str, digest: Digest, upload: tuple[str, ...]) -> None:
        """Move a finished upload to the blobs of the layout, and add it to a repository."""
        with self._lock:
            self.files.move(upload, blob_parts(digest))
            self._links.add_blob(repository, digest)

    def mount_blob(self, repository: str, digest: Digest, source: str | None) -> int | None:
        """Add a blob of `source`, or of any repository, to a repository; return its size.

        None if `source` does not have it.
        """
        with self._lock:
            self._current()
            if source is not None and not (
                is_repository(source) and self._links.has_blob(source, digest)
            ):
                return None
            size = self.files.size(*blob_parts(digest))
            if size is not None:
                self._links.add_blob(repository, digest)
            return size

    def delete_blob(self, repository: str, digest: Digest) -> bool:
        """Remove a blob from a repository; return whether it was there."""
        with self._lock:
            if self.blob_size(repository, digest) is None:
                return False
            self._links.remove_blob(repository, digest)
            self._remove_unused(digest)
        return True

    def missing(self, repository: str, manifest: Manifest) -> list[Digest]:
        """Return the children and blobs of a manifest that a repository does not have."""
        manifests = [
            child.digest
            for child in manifest.manifests
            if self._links.media_type(repository, child.digest) is None
        ]
        return manifests + [
            blob.digest
            for blob in manifest.blobs()
            if self.blob_size(repository, blob.digest) is None
            and not is_foreign_layer(blob.media_type)
        ]

    def put_manifest(self, repository: str, manifest: Manifest, tags: Collection[str]) -> None:
        """Store a manifest in a repository, and point `tags` to it."""
        with self._lock:
            self._current()
            parts = blob_parts(manifest.digest)
            if self.files.size(*parts) != len(manifest.raw):
                self.files.write(manifest.raw, *parts)
            self._links.add_manifest(repository, manifest)
            with self.files.locked():
                self._save(self._current().put(repository, manifest, tags))

    def delete_tag(self, repository: str, tag: str) -> bool:
        """Remove a tag from a repository; return whether it was there."""
        with self._lock, self.files.locked():
            current = self._current()
            if tag not in current.tags(repository):
                return False
            self._save(current.without_tag(repository, tag))
        return True

    def delete_manifest(self, repository: str, digest: Digest) -> bool:
        """Remove a manifest and its tags from a repository; return whether it was there."""
        with self._lock, self.files.locked():
            current = self._current()
            manifest = self._manifest(repository, digest)
            if manifest is None:
                return False
            children = (self._manifest(repository, child.digest) for child in manifest.manifests)
            left = [child for child in children if child is not None]
            self._save(current.without_manifest(repository, manifest, left))
            self._links.remove_manifest(repository, manifest)
            self._remove_unused(digest)
        return True

    def referrers(self, repository: str, subject: Digest) -> list[dict[str, object]]:
        """Return the descriptors of the manifests of a repository whose subject is `subject`."""
        self._current()
        found = sorted(self._links.referrers(repository, subject))
        manifests = (self._manifest(repository, digest) for digest in found)
        return [_described(manifest) for manifest in manifests if manifest is not None]

    def _current(self) -> RegistryIndex:
        """Return the current index.json; it is read again only if it has changed."""
        seen = self._state()
        if seen != self._seen:
            with self._lock:
                index = Index.parse(self.files.read("index.json", limit=MAX_INDEX_BYTES))
                self._discover(index)
                self._index, self._seen = self._view(index), seen
        return self._index

    def _save(self, index: Index) -> None:
        """Write index.json, under its lock, or raise `Refusal` if it would be too large."""
        if index != self._index.index:
            try:
                content = index.render()
            except InvalidManifest as error:
                raise Refusal(413, "DENIED", error.message) from error
            self.files.write(content, "index.json")
            self._index, self._seen = self._view(index), self._state()

    def _state(self) -> tuple[int, ...] | None:
        """Return a value that changes whenever index.json is replaced."""
        status = self.files.status("index.json")
        return status and (status.st_ino, status.st_mtime_ns, status.st_size)

    def _view(self, index: Index) -> RegistryIndex:
        return RegistryIndex(index, self._default, self._named)

    def _named(self, entries: Iterable[Entry]) -> set[Digest]:
        return named_below(self.files, entries, self._children)

    def _manifest(self, repository: str, digest: Digest) -> Manifest | None:
        media_type = self._links.media_type(repository, digest)
        return None if media_type is None else load_manifest(self.files, digest, media_type)

    def _discover(self, index: Index) -> None:
        """Record the manifests that other tools have listed, with everything below them."""
        for entry in index.entries:
            repository = owner(entry, self._default)[0]
            waiting = [entry.descriptor]
            while waiting:
                found = waiting.pop()
                if self._links.media_type(repository, found.digest) is not None:
                    continue
                try:
                    manifest = load_manifest(self.files, found.digest, found.media_type)
                except (ContentMismatch, InvalidManifest) as error:
                    logger.warning("%s is not served: %s", found.digest, error.message)
                    continue
                if manifest is not None:
                    self._links.find(repository, manifest)
                    waiting.extend(manifest.manifests)

    def _remove_unused(self, digest: Digest) -> None:
        """Remove a blob from the disk if no repository has it any more."""
        if not self._links.anywhere(digest):
            self.files.remove(*blob_parts(digest))


def _described(manifest: Manifest) -> dict[str, object]:
    """Return the descriptor of a referrer (distribution specification, "Listing Referrers")."""
    target = manifest.descriptor
    described: dict[str, object] = {
        "mediaType": target.media_type,
        "digest": target.digest,
        "size": target.size,
    }
    artifact_type = manifest.artifact_type or (manifest.config and manifest.config.media_type)
    if artifact_type:
        described["artifactType"] = artifact_type
    annotations = json.loads(manifest.raw).get("annotations")
    if annotations:
        described["annotations"] = annotations
    return described
