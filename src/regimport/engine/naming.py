"""A source whose image is named by sha256, as a target names what is put under a tag."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

from regimport.engine.ends import Source
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest

__all__ = ["NamedBySha256"]

_ALGORITHM = "sha256"


class NamedBySha256:
    """A source; what it names by another algorithm is read, and named by sha256 from then on.

    A registry names what is put under a tag by sha256, unless it is told otherwise (OCI
    distribution specification, "Pushing Manifests"), whatever the source calls it. The source is
    still asked for it by the name that it knows.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        # Written before the name is handed out.
        self._known_as: dict[str, Digest] = {}

    @property
    def name(self) -> str:
        """The repository, as messages name it."""
        return self._source.name

    def head_manifest(self, reference: str) -> Descriptor | None:
        """Return what a tag or a digest points to, named by sha256; None if nothing."""
        found = self._source.head_manifest(self._known_as.get(reference, reference))
        if found is None or found.digest.algorithm == _ALGORITHM:
            return found
        manifest = _renamed(self._source.get_manifest(found.digest))
        self._known_as[manifest.digest] = found.digest
        return manifest.descriptor

    def get_manifest(self, reference: str) -> Manifest:
        """Read a manifest; asked for by digest, its bytes are checked against it."""
        known_as = self._known_as.get(reference)
        if known_as is None:
            return self._source.get_manifest(reference)
        return _renamed(self._source.get_manifest(known_as))

    def has_blob(self, blob: Descriptor) -> bool:
        """Ask whether a blob is there, whole."""
        return self._source.has_blob(blob)

    def blob_size(self, digest: Digest) -> int | None:
        """Ask how many bytes a blob has; None if the source does not say."""
        return self._source.blob_size(digest)

    def read_blob(
        self, blob: Descriptor, start: int = 0
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Open a blob; the iterator yields its bytes from `start` on in order, unchecked."""
        return self._source.read_blob(blob, start)

    def tag_pages(self) -> Iterator[list[str]]:
        """Yield the tags of the repository, page by page."""
        return self._source.tag_pages()

    def referrers(
        self, subject: Digest, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...] | None:
        """Return what refers to a manifest, by either of its names."""
        found = self._source.referrers(subject, artifact_type)
        known_as = self._known_as.get(subject)
        if found is None or known_as is None:
            return found
        more = self._source.referrers(known_as, artifact_type) or ()
        return tuple({entry.digest: entry for entry in (*found, *more)}.values())

    def peek_referrers(self, subject: Digest) -> list[str]:
        """Return in words what belongs to a manifest, by the name that the source knows."""
        return self._source.peek_referrers(self._known_as.get(subject, subject))


def _renamed(manifest: Manifest) -> Manifest:
    return Manifest.parse(manifest.raw, manifest.served_as or manifest.media_type)
