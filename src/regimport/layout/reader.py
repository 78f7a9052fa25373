"""The images of an OCI layout as the source of a copy: in a folder, or in an archive."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from regimport.errors import ContentMismatch, InvalidManifest, NotFound, RegimportError
from regimport.large import LARGE_BYTES, begin_large, one_large
from regimport.layout.files import Files, blob_parts
from regimport.layout.index import MAX_INDEX_BYTES, Entry, Index
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import MAX_MANIFEST_BYTES, Manifest
from regimport.models.referrers import artifact_type_of, digest_tags, is_digest_tag

__all__ = ["Contents", "ImageReader", "LayoutReader", "is_digest", "load_manifest"]

# How many manifests of a layout are looked at for what they refer to.
_MAX_MANIFESTS = 10_000


class Contents(Protocol):
    """The files of a layout, named by the parts of their paths."""

    @property
    def name(self) -> str:
        """The layout, as messages name it: `oci:path`."""

    def check(self) -> None:
        """Raise `NotFound` if there is nothing, `UsageError` if it is not a layout."""

    def size(self, *parts: str) -> int | None:
        """Return a file's size in bytes; None if it does not exist."""

    def read(self, *parts: str, limit: int) -> bytes | None:
        """Read a whole file, but at most `limit` + 1 bytes; None if it does not exist."""

    def stream(
        self, *parts: str, start: int = 0
    ) -> AbstractContextManager[tuple[int, Iterator[bytes]] | None]:
        """Open a file: its size, and its bytes from `start` on; None if it does not exist."""


class ImageReader:
    """The images of a layout, for reading.

    A reference is a digest, a name in index.json (`org.opencontainers.image.ref.name`, or else the
    full name of an image that containerd's annotation has), or empty. An empty reference means the
    entry named `default_name`, or else the only entry. The name `latest` never means an entry
    without a name.
    """

    default_name: str | None = None
    # What may help where a manifest or a blob is missing.
    hint_of_missing = "the layout is incomplete"

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        # What refers to what, according to the index.json that was read last.
        self._referrers: dict[Digest, list[Descriptor]] = {}
        self._indexed: bytes | None = b""
        self._reading = threading.Lock()

    @property
    def name(self) -> str:
        """The layout, as messages name it: `oci:path`."""
        return self._contents.name

    def head_manifest(self, reference: str) -> Descriptor | None:
        """Return what a name or a digest points to; None if it does not exist."""
        manifest = self._find(reference)
        return None if manifest is None else manifest.descriptor

    def get_manifest(self, reference: str) -> Manifest:
        """Return a manifest, checked against its digest, or raise `NotFound`."""
        manifest = self._find(reference)
        if manifest is None:
            by_digest = is_digest(reference)
            raise NotFound(
                f"{self.name} has no manifest {reference!r}",
                hint=self.hint_of_missing if by_digest else self._names(),
            ).located(None, self.name)
        return manifest

    def has_blob(self, blob: Descriptor) -> bool:
        """Return whether a blob exists and has the size of its descriptor."""
        self._check()
        return self._contents.size(*blob_parts(blob.digest)) == blob.size

    def blob_size(self, digest: Digest) -> int | None:
        """Return how many bytes a blob has; None if it does not exist."""
        self._check()
        return self._contents.size(*blob_parts(digest))

    @contextmanager
    def read_blob(self, blob: Descriptor, start: int = 0) -> Iterator[Iterator[bytes]]:
        """Open a blob; the iterator yields its bytes from `start` on, unchecked."""
        self._check()
        with self._contents.stream(*blob_parts(blob.digest), start=start) as found:
            if found is None:
                message = f"{self.name} has no blob {blob.digest}"
                raise NotFound(message, hint=self.hint_of_missing).located(None, self.name)
            size, pieces = found
            if blob.has_size and size != blob.size:
                raise ContentMismatch(
                    f"blob {blob.digest} has {size} bytes, but its descriptor says {blob.size}",
                    expected=f"{blob.size} bytes",
                    got=f"{size} bytes",
                ).located(None, self.name)
            yield pieces

    def tag_pages(self) -> Iterator[list[str]]:
        """Yield the names of the layout, in lexical order, as a single page."""
        yield sorted(self.index().names())

    def index(self) -> Index:
        """Read index.json, or raise `InvalidManifest`."""
        self._check()
        return self._parsed(self._contents.read("index.json", limit=MAX_INDEX_BYTES))

    def _parsed(self, content: bytes | None) -> Index:
        try:
            return Index.parse(content)
        except InvalidManifest as error:
            error.located(None, self.name)
            raise

    def referrers(
        self, subject: Digest, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...]:
        """Return the manifests of the layout that name `subject` as their subject."""
        del artifact_type
        self._check()
        content = self._contents.read("index.json", limit=MAX_INDEX_BYTES)
        with self._reading:
            if content != self._indexed:
                self._referrers = referrers_in(self._contents, self._parsed(content))
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
        self._contents.check()

    def _find(self, reference: str) -> Manifest | None:
        if is_digest(reference):
            self._check()
            return load_manifest(self._contents, Digest(reference))
        entry = self._entry(self.index(), reference)
        if entry is None:
            return None
        return load_manifest(self._contents, entry.digest, entry.descriptor.media_type)

    def _entry(self, index: Index, reference: str) -> Entry | None:
        if reference:
            return index.named(reference)
        # What belongs to an image is listed beside it, without a name or under a digest tag.
        named = [entry for entry in index.entries if entry.name and not is_digest_tag(entry.name)]
        entries = named or index.entries
        entry = None if self.default_name is None else index.named(self.default_name)
        if entry is None and len({entry.digest for entry in entries}) > 1:
            error = NotFound(
                f"{self.name} has several images, and none was chosen", hint=self._names()
            )
            error.images = index.images()
            raise error.located(None, self.name)
        return entry or next(iter(entries), None)

    def _names(self) -> str:
        names = ", ".join(*self.tag_pages()) or "none"
        return f"choose one by name or digest; names in it: {names[:300]}"


class LayoutReader(ImageReader):
    """An image layout in a folder, for reading."""

    default_name = "latest"

    def __init__(self, path: str | Path) -> None:
        self._files = Files(path)
        super().__init__(self._files)


def referrers_in(contents: Contents, index: Index) -> dict[Digest, list[Descriptor]]:
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
            manifest = load_manifest(contents, entry.digest, entry.media_type)
        except (ContentMismatch, InvalidManifest):
            continue
        if manifest is None:
            continue
        waiting.extend(manifest.manifests)
        if manifest.subject is not None:
            described = replace(manifest.descriptor, artifact_type=artifact_type_of(manifest))
            found.setdefault(manifest.subject.digest, []).append(described)
    return found


def load_manifest(
    contents: Contents, digest: Digest, media_type: str | None = None
) -> Manifest | None:
    """Return a manifest from the blobs of a layout; None if it does not exist.

    Raise `ContentMismatch` if its bytes do not hash to its digest: the disk, or the program that
    made the layout, may have changed them.
    """
    with one_large():
        if (contents.size(*blob_parts(digest)) or 0) > LARGE_BYTES:
            begin_large()
        content = contents.read(*blob_parts(digest), limit=MAX_MANIFEST_BYTES)
        return None if content is None else _checked(contents, digest, content, media_type)


def _checked(
    contents: Contents, digest: Digest, content: bytes, media_type: str | None
) -> Manifest:
    if len(content) > MAX_MANIFEST_BYTES:
        raise InvalidManifest(
            f"{digest} is not a manifest: it has more than {MAX_MANIFEST_BYTES} bytes"
        )
    actual = Digest.of(content, digest.algorithm)
    if actual != digest:
        raise ContentMismatch(
            f"the content of {digest} hashes to {actual}", expected=digest, got=actual
        ).located(None, contents.name)
    return Manifest.parse(content, media_type, algorithm=digest.algorithm)


def is_digest(reference: str) -> bool:
    """Return whether a reference is a digest rather than a name, which may have a colon, too."""
    return reference.startswith(("sha256:", "sha512:"))
