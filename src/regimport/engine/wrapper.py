"""A source that passes everything on to another one, for those that change a part of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

from regimport.engine.ends import Source
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest

__all__ = ["SourceWrapper"]


class SourceWrapper:
    """A source whose answers are those of `source`."""

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
