"""The document that `digest` prints."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from regimport.cli.documents.base import SCHEMA_VERSION, Document
from regimport.models.digest import Digest
from regimport.models.reference import AnyReference

__all__ = ["DigestDocument"]


class DigestDocument(Document):
    """The digest that a reference points to."""

    schema_version: Literal["1"] = Field(description="Changes when a field changes its meaning.")
    reference: str = Field(description="The reference in full.")
    digest: str
    pinned: str = Field(description="The reference by digest: registry/repository@digest.")

    @classmethod
    def of(cls, place: AnyReference, digest: Digest) -> DigestDocument:
        """Return the document of a digest."""
        return cls(
            schema_version=SCHEMA_VERSION,
            reference=str(place),
            digest=digest,
            pinned=str(place.pinned(digest)),
        )
