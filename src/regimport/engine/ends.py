"""The two ends of a copy, as the engine sees them.

A registry's repository and an OCI image layout on disk fit both by shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest

__all__ = ["BlobSource", "Deletable", "Source", "Target", "Upload"]


class BlobSource(Protocol):
    """Where blobs are read from."""

    @property
    def name(self) -> str:
        """The place, as messages name it."""

    def read_blob(
        self, blob: Descriptor, start: int = 0
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Open a blob; the iterator yields its bytes from `start` on in order, unchecked.

        A piece that is not `bytes` is valid until the next is asked for: its buffer is used again.
        A connection that breaks on the way raises `BrokenTransfer`.
        """


class Source(BlobSource, Protocol):
    """Where an image is read from; its name is `registry/repository` or `oci:path`.

    Every method raises a `RegimportError`; "not there" is a value where the engine asks whether
    something is there, and `NotFound` where it asks for the thing.
    """

    def head_manifest(self, reference: str) -> Descriptor | None:
        """Ask what a tag or a digest points to; None if nothing."""

    def get_manifest(self, reference: str) -> Manifest:
        """Read a manifest; asked for by digest, its bytes are checked against it."""

    def has_blob(self, blob: Descriptor) -> bool:
        """Ask whether a blob is there, whole."""

    def blob_size(self, digest: Digest) -> int | None:
        """Ask how many bytes a blob has; None if the source does not say."""

    def tag_pages(self) -> Iterator[list[str]]:
        """Yield the tags of the repository, page by page."""

    def referrers(
        self, subject: Digest, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...] | None:
        """Return what refers to a manifest, be it here or not; None where lists are not kept.

        With `artifact_type`, others may be left out.
        """

    def peek_referrers(self, subject: Digest) -> list[str]:
        """Return in words what is known to belong to a manifest; never raises, asks each once."""


class Deletable(Source, Protocol):
    """A repository that can be asked to delete what it holds."""

    def find_manifest(self, reference: str) -> Descriptor | None:
        """Return what a tag or a digest points to; None only where it is certainly absent."""

    def delete_manifest(self, reference: str) -> None:
        """Delete a tag, or a manifest by digest with all its tags."""


class SourceWrapper:
    """A source whose answers are those of another one, for those that change a part of them."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def name(self) -> str:
        """The repository, as messages name it."""
        return self._source.name

    def head_manifest(self, reference: str) -> Descriptor | None:
        """Ask what a tag or a digest points to."""
        return self._source.head_manifest(reference)

    def get_manifest(self, reference: str) -> Manifest:
        """Read a manifest."""
        return self._source.get_manifest(reference)

    def has_blob(self, blob: Descriptor) -> bool:
        """Ask whether a blob is there."""
        return self._source.has_blob(blob)

    def blob_size(self, digest: Digest) -> int | None:
        """Ask how many bytes a blob has."""
        return self._source.blob_size(digest)

    def read_blob(
        self, blob: Descriptor, start: int = 0
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Open a blob."""
        return self._source.read_blob(blob, start)

    def tag_pages(self) -> Iterator[list[str]]:
        """Yield the tags, page by page."""
        return self._source.tag_pages()

    def referrers(
        self, subject: Digest, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...] | None:
        """Return what refers to a manifest."""
        return self._source.referrers(subject, artifact_type)

    def peek_referrers(self, subject: Digest) -> list[str]:
        """Return in words what is known to belong to a manifest."""
        return self._source.peek_referrers(subject)


class Upload(Protocol):
    """A blob on its way into a target."""

    @property
    def offset(self) -> int:
        """How many bytes of the blob the target has of it already."""

    def send(self, content: Iterator[bytes]) -> None:
        """Store the rest of the blob, from `offset` on, exactly to its end.

        Whatever `content` raises goes through, and then the blob is not stored. Raises
        `BrokenTransfer` where another attempt may succeed.
        """

    def recover(self) -> bool:
        """After a `BrokenTransfer`, ask how much has arrived; never raises.

        True: `offset` says it, and `send` goes on from there. False: a new upload has to start.
        """

    def leave(self) -> None:
        """Stop here, and keep for a later run what can be gone on with; never raises."""

    def cancel(self) -> None:
        """Abandon the upload for good; never raises."""


class Target(Source, Protocol):
    """Where an image is written to; it can be asked what it holds already."""

    def find_tag(self, tag: str) -> Descriptor | None:
        """Return what a tag points to; None only where it is certain that it does not exist.

        `head_manifest` may return None for what a target does not tell; this raises.
        """

    def start_upload(
        self, blob: Descriptor, *, mount_from: str | None = None, anew: bool = False
    ) -> Upload | None:
        """Get ready to store a blob.

        With `mount_from`, a repository of the same registry, the blob is taken over from there
        if the registry agrees. None: it is there now, and nothing is to be sent. `anew` does not
        ask whether it is.
        """

    def put_manifest(self, manifest: Manifest, reference: str) -> bool:
        """Store a manifest, byte for byte, under a tag or its digest.

        Return whether the target lists it for its subject, if it has one. A `RegistryError` has the
        codes and the digests that the registry names.
        """

    def commit(self) -> None:
        """Make visible what was put, its tags and all below them; called when they are put.

        A target that shows each manifest as soon as it is put does nothing. What was put and not
        committed is lost when the target is closed, which whoever has opened it does.
        """

    def points_to(self, manifest: Manifest, reference: str) -> bool | None:
        """Return whether a tag or a digest points to this manifest; None if it does not say."""
