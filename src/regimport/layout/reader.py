"""An OCI image layout on disk as the source of a copy."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from regimport.errors import ContentMismatch, InvalidManifest, NotFound, RegimportError
from regimport.layout.files import CHUNK, Files, blob_parts, explained
from regimport.layout.index import MAX_INDEX_BYTES, Entry, Index
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import MAX_MANIFEST_BYTES, Manifest
from regimport.models.referrers import artifact_type_of, digest_tags, is_digest_tag

__all__ = ["LayoutReader", "load_manifest"]

# How many manifests of a layout are looked at for what they refer to.
_MAX_MANIFESTS = 10_000


class LayoutReader:
    """An image layout, for reading.

    A reference is a digest, a name in index.json (`org.opencontainers.image.ref.name`), or empty.
    An empty reference means the entry named `latest`, or else the only entry. The name `latest`
    never means an entry without a name.
    """

    def __init__(self, path: str | Path) -> None:
        self._files = Files(path)
        # What refers to what, according to the index.json that was read last.
        self._referrers: dict[Digest, list[Descriptor]] = {}
        self._indexed: bytes | None = b""
        self._reading = threading.Lock()

    @property
    def name(self) -> str:
        """`oci:path`."""
        return f"oci:{self._files.root}"

    def head_manifest(self, reference: str) -> Descriptor | None:
        """Return what a name or a digest points to; None if it does not exist."""
        manifest = self._find(reference)
        return None if manifest is None else manifest.descriptor

    def get_manifest(self, reference: str) -> Manifest:
        """Return a manifest, checked against its digest, or raise `NotFound`."""
        manifest = self._find(reference)
        if manifest is None:
            names = ", ".join(*self.tag_pages()) or "none"
            raise NotFound(
                f"{self.name} has no manifest {reference!r}",
                hint=f"names in the layout: {names[:300]}",
            ).located(None, self.name)
        return manifest

    def has_blob(self, blob: Descriptor) -> bool:
        """Return whether a blob exists and has the size of its descriptor."""
        self._check()
        return self._files.size(*blob_parts(blob.digest)) == blob.size

    def blob_size(self, digest: Digest) -> int | None:
        """Return how many bytes a blob has; None if it does not exist."""
        self._check()
        return self._files.size(*blob_parts(digest))

    @contextmanager
    def read_blob(self, blob: Descriptor, start: int = 0) -> Iterator[Iterator[bytes]]:
        """Open a blob; the iterator yields its bytes from `start` on, unchecked."""
        self._check()
        file = self._files.open(*blob_parts(blob.digest))
        if file is None:
            raise NotFound(
                f"{self.name} has no blob {blob.digest}", hint="the layout is incomplete"
            ).located(None, self.name)
        try:
            size = os.fstat(file).st_size
            if blob.has_size and size != blob.size:
                raise ContentMismatch(
                    f"blob {blob.digest} has {size} bytes, but its descriptor says {blob.size}",
                    expected=f"{blob.size} bytes",
                    got=f"{size} bytes",
                ).located(None, self.name)
            os.lseek(file, start, os.SEEK_SET)
            yield self._chunks(file)
        finally:
            os.close(file)

    def tag_pages(self) -> Iterator[list[str]]:
        """Yield the names of the layout, in lexical order, as a single page."""
        yield sorted({entry.name for entry in self._index().entries if entry.name})

    def referrers(
        self, subject: Digest, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...]:
        """Return the manifests of the layout that name `subject` as their subject."""
        del artifact_type
        self._check()
        content = self._files.read("index.json", limit=MAX_INDEX_BYTES)
        with self._reading:
            if content != self._indexed:
                self._referrers = referrers_in(self._files, Index.parse(content))
                self._indexed = content
            return tuple(self._referrers.get(subject, ()))

    def peek_referrers(self, subject: Digest) -> list[str]:
        """Return in words what belongs to a manifest; never raises."""
        try:
            found = [entry.artifact_type or "a referrer" for entry in self.referrers(subject)]
            tags = digest_tags(*self.tag_pages()).get(subject, [])
        except RegimportError:
            return []
        return [*dict.fromkeys(found), *(f"the tag {tag}" for tag in tags)]

    def _check(self) -> None:
        self._files.check()

    def _index(self) -> Index:
        self._check()
        return Index.parse(self._files.read("index.json", limit=MAX_INDEX_BYTES))

    def _find(self, reference: str) -> Manifest | None:
        if ":" in reference and reference.startswith(("sha256:", "sha512:")):
            self._check()
            return load_manifest(self._files, Digest(reference))
        entry = self._entry(self._index(), reference)
        if entry is None:
            return None
        return load_manifest(self._files, entry.digest, entry.descriptor.media_type)

    def _entry(self, index: Index, reference: str) -> Entry | None:
        if reference:
            return index.named(reference)
        # What belongs to an image is listed beside it, without a name or under a digest tag.
        named = [entry for entry in index.entries if entry.name and not is_digest_tag(entry.name)]
        entries = named or index.entries
        only = entries[0] if len({entry.digest for entry in entries}) == 1 else None
        return index.named("latest") or only

    def _chunks(self, file: int) -> Iterator[bytes]:
        while True:
            with explained(self._files.root):
                chunk = os.read(file, CHUNK)
            if not chunk:
                return
            yield chunk


def referrers_in(files: Files, index: Index) -> dict[Digest, list[Descriptor]]:
    """Return the manifests that `index` reaches and that name a subject, by subject.

    Tools list them in index.json without a name, or in an index under a fallback tag. What cannot
    be read is left out: it belongs to other images, perhaps.
    """
    found: dict[Digest, list[Descriptor]] = {}
    seen: set[Digest] = set()
    waiting = [entry.descriptor for entry in index.entries]
    while waiting and len(seen) < _MAX_MANIFESTS:
        entry = waiting.pop()
        if entry.digest in seen:
            continue
        seen.add(entry.digest)
        try:
            manifest = load_manifest(files, entry.digest, entry.media_type)
        except (ContentMismatch, InvalidManifest):
            continue
        if manifest is None:
            continue
        waiting.extend(manifest.manifests)
        if manifest.subject is not None:
            described = replace(manifest.descriptor, artifact_type=artifact_type_of(manifest))
            found.setdefault(manifest.subject.digest, []).append(described)
    return found


def load_manifest(files: Files, digest: Digest, media_type: str | None = None) -> Manifest | None:
    """Return a manifest from the blobs of a layout; None if it does not exist.

    Raise `ContentMismatch` if its bytes do not hash to its digest: the disk, or the program that
    made the layout, may have changed them.
    """
    content = files.read(*blob_parts(digest), limit=MAX_MANIFEST_BYTES)
    if content is None:
        return None
    if len(content) > MAX_MANIFEST_BYTES:
        raise InvalidManifest(
            f"{digest} is not a manifest: it has more than {MAX_MANIFEST_BYTES} bytes"
        )
    actual = Digest.of(content, digest.algorithm)
    if actual != digest:
        raise ContentMismatch(
            f"the content of {digest} hashes to {actual}", expected=digest, got=actual
        ).located(None, f"oci:{files.root}")
    return Manifest.parse(content, media_type, algorithm=digest.algorithm)
