"""An OCI image layout on disk as the target of a copy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from regimport.errors import ContentMismatch, RegistryError
from regimport.layout.files import Files, blob_parts
from regimport.layout.folder import Incoming, sweep
from regimport.layout.index import REF_NAME, Entry
from regimport.layout.reader import Contents, LayoutReader, is_digest, load_manifest
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest, Verifier
from regimport.models.manifest import Manifest
from regimport.models.mediatype import INDEX_TYPES, is_foreign_layer

__all__ = ["BlobUpload", "Layout", "named_below"]


class Layout(LayoutReader):
    """An image layout, for writing and reading, by several threads and processes at once.

    A folder that does not exist counts as an empty layout; it is created with the first content.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self._children: dict[Digest, tuple[Descriptor, ...]] = {}
        # The blobs whose bytes were hashed, each written with a single call.
        self._checked: set[Digest] = set()
        # The images that index.json lists, of those that were asked for, with all below them.
        self._listed_images: set[Digest] = set()
        self._swept = False

    def head_manifest(self, reference: str) -> Descriptor | None:
        """Return what a name or a digest points to; None if it is not there, whole.

        A file alone proves nothing: its content may be missing or wrong. So a digest counts where
        index.json lists it, or where something listed that was asked for before names it.
        """
        try:
            if is_digest(reference) and not self._is_listed(Digest(reference)):
                return None
            return super().head_manifest(reference)
        except ContentMismatch:
            return None

    def has_blob(self, blob: Descriptor) -> bool:
        """Return whether a blob is there, which is hashed: its name alone proves nothing."""
        if not super().has_blob(blob):
            return False
        if blob.digest not in self._checked:
            if not self._files.hashes_to(blob.digest):
                return False
            self._checked.add(blob.digest)
        return True

    def find_tag(self, tag: str) -> Descriptor | None:
        """Return what a name points to; None if it does not exist."""
        return super().head_manifest(tag)

    def start_upload(
        self, blob: Descriptor, *, mount_from: str | None = None, anew: bool = False
    ) -> BlobUpload | None:
        """Start to store a blob; None if it exists already. A layout mounts nothing."""
        del mount_from
        self._create()
        exists = not anew and self.has_blob(blob)
        return None if exists else BlobUpload(self._files, blob)

    def points_to(self, manifest: Manifest, reference: str) -> bool:
        """Return whether a name or a digest points to this manifest."""
        found = super().head_manifest(reference)
        return found is not None and found.digest == manifest.digest

    def commit(self) -> None:
        """Do nothing: each manifest is listed when it is put."""

    def put_manifest(self, manifest: Manifest, reference: str) -> bool:
        """Store a manifest, byte for byte, and list it under a name, or untagged by its digest.

        Return True: a layout lists what it has.

        A name moves from the manifest that it pointed to. A manifest is not listed untagged if an
        index of the layout names it; storing an index removes its children's untagged entries.
        Raise `RegistryError` if something under it is not there any more: another program may have
        deleted it meanwhile.
        """
        self._create()
        self._store(manifest)
        with self._files.locked():
            self._check_content(manifest)
            old = self.index()
            untagged = reference == manifest.digest
            below = named_below(self._files, old.entries, self._children) if untagged else set()
            new = old.listing(manifest, {} if untagged else {REF_NAME: reference}, below)
            if new != old:
                self._files.write(new.render(), "index.json")
        return True

    def _check(self) -> None:
        if self._files.names():
            super()._check()

    def _is_listed(self, digest: Digest) -> bool:
        if digest not in self._listed_images:
            entries = [entry for entry in self.index().entries if entry.digest == digest]
            if not entries:
                return False
            below = named_below(self._files, entries, self._children)
            self._listed_images.update(below, [digest])
        return True

    def _create(self) -> None:
        self._files.create()
        if not self._swept:
            self._swept = True
            sweep(self._files)

    def _store(self, manifest: Manifest) -> None:
        parts = blob_parts(manifest.digest)
        if self._files.read(*parts, limit=len(manifest.raw)) != manifest.raw:
            self._files.write(manifest.raw, *parts)

    def _check_content(self, manifest: Manifest) -> None:
        """Raise `RegistryError`, as a registry does, if content under a manifest is missing."""
        missing = [
            part.digest
            for part in _below(self._files, manifest)
            if self._files.size(*blob_parts(part.digest)) is None
        ]
        if missing:
            raise RegistryError(
                f"{missing[0]} is not in the layout any more: another program has deleted it",
                codes=("MANIFEST_BLOB_UNKNOWN",),
                digests=missing,
                hint="run the copy again when nothing else changes the layout",
            ).located(None, self.name)


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


def _below(files: Files, manifest: Manifest) -> Iterator[Descriptor]:
    """Yield all that is under a manifest, but for foreign layers, which need not be there."""
    seen: set[Digest] = set()
    waiting = [manifest]
    while waiting:
        parent = waiting.pop()
        for part in (*parent.blobs(), *parent.manifests):
            if part.digest not in seen and not is_foreign_layer(part.media_type):
                seen.add(part.digest)
                yield part
        for child in parent.manifests:
            found = load_manifest(files, child.digest)
            if found is not None:
                waiting.append(found)


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
            try:
                manifest = load_manifest(contents, parent.digest)
            except ContentMismatch:
                # Nobody can read it: it names nothing.
                continue
            if manifest is None:
                continue
            children = known[parent.digest] = manifest.manifests
        waiting.extend(child for child in children if child.digest not in found)
        found.update(child.digest for child in children)
    return found
