"""An OCI image layout on disk as the target of a copy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from regimport.layout.files import Files, blob_parts
from regimport.layout.folder import Incoming
from regimport.layout.index import REF_NAME, Entry
from regimport.layout.reader import Contents, LayoutReader, load_manifest
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest, Verifier
from regimport.models.manifest import Manifest
from regimport.models.mediatype import INDEX_TYPES

__all__ = ["BlobUpload", "Layout", "named_below"]


class Layout(LayoutReader):
    """An image layout, for writing and reading, by several threads and processes at once.

    A folder that does not exist counts as an empty layout; it is created with the first content.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self._children: dict[Digest, tuple[Descriptor, ...]] = {}

    def find_tag(self, tag: str) -> Descriptor | None:
        """Return what a name points to; None if it does not exist."""
        return self.head_manifest(tag)

    def start_upload(
        self, blob: Descriptor, *, mount_from: str | None = None, anew: bool = False
    ) -> BlobUpload | None:
        """Start to store a blob; None if it exists already. A layout mounts nothing."""
        del mount_from
        self._files.create()
        exists = not anew and self.has_blob(blob)
        return None if exists else BlobUpload(self._files, blob)

    def points_to(self, manifest: Manifest, reference: str) -> bool:
        """Return whether a name or a digest points to this manifest."""
        found = self.head_manifest(reference)
        return found is not None and found.digest == manifest.digest

    def commit(self) -> None:
        """Do nothing: each manifest is listed when it is put."""

    def put_manifest(self, manifest: Manifest, reference: str) -> None:
        """Store a manifest, byte for byte, and list it under a name, or untagged by its digest.

        A name moves from the manifest that it pointed to. A manifest is not listed untagged if an
        index of the layout names it; storing an index removes its children's untagged entries.
        """
        self._files.create()
        self._store(manifest)
        with self._files.locked():
            old = self.index()
            untagged = reference == manifest.digest
            below = named_below(self._files, old.entries, self._children) if untagged else set()
            new = old.listing(manifest, {} if untagged else {REF_NAME: reference}, below)
            if new != old:
                self._files.write(new.render(), "index.json")

    def _check(self) -> None:
        if self._files.names():
            super()._check()

    def _store(self, manifest: Manifest) -> None:
        parts = blob_parts(manifest.digest)
        if self._files.size(*parts) != len(manifest.raw):
            self._files.write(manifest.raw, *parts)


class BlobUpload:
    """An upload into a layout; if it is interrupted, nothing is left, and it starts again."""

    offset = 0

    def __init__(self, files: Files, blob: Descriptor) -> None:
        self._files = files
        self._blob = blob

    def send(self, content: Iterator[bytes]) -> None:
        """Store the blob, or raise `ContentMismatch` if `content` does not hash to its digest.

        Errors from `content` pass through, and then nothing of the blob is stored.
        """
        verifier = Verifier(self._blob.digest, self._blob.size)
        with Incoming(self._files) as incoming:
            for chunk in content:
                verifier.update(chunk)
                incoming.write(chunk)
            verifier.check()
            incoming.place(*blob_parts(self._blob.digest))

    def recover(self) -> bool:
        """Return False: no part of the blob is kept."""
        return False

    def leave(self) -> None:
        """Do nothing, as `cancel`."""

    def cancel(self) -> None:
        """Do nothing: an upload that was not sent leaves nothing behind."""


def named_below(
    contents: Contents, entries: Iterable[Entry], known: dict[Digest, tuple[Descriptor, ...]]
) -> set[Digest]:
    """Return the digests of all manifests below the indexes among `entries`.

    `known` caches the children of indexes: their content cannot change.
    """
    found: set[Digest] = set()
    waiting = [entry.descriptor for entry in entries]
    while waiting:
        parent = waiting.pop()
        if parent.media_type and parent.media_type not in INDEX_TYPES:
            continue
        children = known.get(parent.digest)
        if children is None:
            manifest = load_manifest(contents, parent.digest)
            if manifest is None:
                continue
            children = known[parent.digest] = manifest.manifests
        waiting.extend(child for child in children if child.digest not in found)
        found.update(child.digest for child in children)
    return found
