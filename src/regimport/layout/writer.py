"""An OCI image layout on disk as the target of a copy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from regimport.layout.files import Files, Incoming, blob_parts
from regimport.layout.index import REF_NAME, Entry, Index
from regimport.layout.reader import LayoutReader, load_manifest
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest, Verifier
from regimport.models.manifest import Manifest
from regimport.models.mediatype import INDEX_TYPES

__all__ = ["BlobUpload", "Layout", "named_below"]


class Layout(LayoutReader):
    """An image layout that is written, and read; several threads and processes may at once.

    A folder that does not exist is an empty layout here, and is made when the first content comes.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self._children: dict[Digest, tuple[Descriptor, ...]] = {}

    def start_upload(
        self, blob: Descriptor, *, mount_from: str | None = None, anew: bool = False
    ) -> BlobUpload | None:
        """Get ready to store a blob; None: it is there already. A layout mounts nothing."""
        del mount_from
        self._files.create()
        there = not anew and self.has_blob(blob)
        return None if there else BlobUpload(self._files, blob)

    def points_to(self, manifest: Manifest, reference: str) -> bool:
        """Tell whether a name or a digest is this manifest's."""
        found = self.head_manifest(reference)
        return found is not None and found.digest == manifest.digest

    def put_manifest(self, manifest: Manifest, reference: str) -> None:
        """Store a manifest, byte for byte, and list it under a name, or untagged by its digest.

        A name moves from the manifest it was at. Untagged, what an index of the layout names is
        not listed for itself, and an index takes its children's untagged entries away.
        """
        self._files.create()
        self._store(manifest)
        with self._files.locked():
            old = self._index()
            new = self._listed(old, manifest, None if reference == manifest.digest else reference)
            if new != old:
                self._files.write(new.render(), "index.json")

    def _check(self) -> None:
        if self._files.names():
            super()._check()

    def _store(self, manifest: Manifest) -> None:
        parts = blob_parts(manifest.digest)
        if self._files.size(*parts) != len(manifest.raw):
            self._files.write(manifest.raw, *parts)

    def _listed(self, index: Index, manifest: Manifest, name: str | None) -> Index:
        children = {child.digest for child in manifest.manifests}
        index = index.without(lambda entry: entry.name is None and entry.digest in children)
        if name is not None:
            return index.without(
                lambda entry: (
                    entry.name == name or (entry.name is None and entry.digest == manifest.digest)
                )
            ).having(Entry.of(manifest, {REF_NAME: name}))
        listed = {entry.digest for entry in index.entries}
        if manifest.digest in listed | named_below(self._files, index.entries, self._children):
            return index
        return index.having(Entry.of(manifest, {}))


class BlobUpload:
    """A blob on its way into a layout; one that breaks off leaves nothing, and starts anew."""

    offset = 0

    def __init__(self, files: Files, blob: Descriptor) -> None:
        self._files = files
        self._blob = blob

    def send(self, content: Iterator[bytes]) -> None:
        """Store the blob; raises `ContentMismatch` unless `content` is what its digest says.

        Whatever `content` raises goes through, and then nothing is left of the blob.
        """
        verifier = Verifier(self._blob.digest, self._blob.size)
        with Incoming(self._files) as incoming:
            for chunk in content:
                verifier.update(chunk)
                incoming.write(chunk)
            verifier.check()
            incoming.place(*blob_parts(self._blob.digest))

    def recover(self) -> bool:
        """Tell that nothing has arrived."""
        return False

    def leave(self) -> None:
        """Do nothing, as `cancel`."""

    def cancel(self) -> None:
        """Do nothing: an upload that was not sent has left nothing behind."""


def named_below(
    files: Files, entries: Iterable[Entry], known: dict[Digest, tuple[Descriptor, ...]]
) -> set[Digest]:
    """Give the manifests that the indexes among `entries`, and those below, name.

    `known` keeps what indexes were read before: their content cannot change.
    """
    found: set[Digest] = set()
    waiting = [entry.descriptor for entry in entries]
    while waiting:
        parent = waiting.pop()
        if parent.media_type not in INDEX_TYPES:
            continue
        children = known.get(parent.digest)
        if children is None:
            manifest = load_manifest(files, parent.digest)
            if manifest is None:
                continue
            children = known[parent.digest] = manifest.manifests
        waiting.extend(child for child in children if child.digest not in found)
        found.update(child.digest for child in children)
    return found
