"""The document that `inspect` prints where a layout or archive has several images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from regimport.cli.documents.base import SCHEMA_VERSION, Document

__all__ = ["ImagesDocument"]


class ImageDocument(Document):
    """An image of a layout or archive."""

    name: str | None = Field(description="What it can be asked for by; null if only by its digest.")
    digest: str


class ImagesDocument(Document):
    """The images of a layout or archive, of which none was chosen."""

    schema_version: Literal["1"] = Field(description="Changes when a field changes its meaning.")
    reference: str = Field(description="The layout or archive as it was named.")
    images: list[ImageDocument]

    @classmethod
    def of(cls, reference: str, images: Iterable[tuple[str | None, str]]) -> ImagesDocument:
        """Return the document of a list of names and digests."""
        return cls(
            schema_version=SCHEMA_VERSION,
            reference=reference,
            images=[ImageDocument(name=name, digest=digest) for name, digest in images],
        )
