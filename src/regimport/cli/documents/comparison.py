"""The document that `diff` prints."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from regimport.cli.documents.base import SCHEMA_VERSION, Document
from regimport.engine.compare import Comparison

__all__ = ["ComparisonDocument"]


class ChangeDocument(Document):
    """Something that differs; null where one of the two lacks it."""

    platform: str = Field(description="Empty for the image as a whole, and for tags.")
    subject: str = Field(description="Such as digest, layer 2, label NAME, environment NAME.")
    first: str | None
    second: str | None


class ComparisonDocument(Document):
    """All in which two images, or the tags of two repositories, differ."""

    schema_version: Literal["1"] = Field(description="Changes when a field changes its meaning.")
    first: str = Field(description="The image by digest, or the repository.")
    second: str = Field(description="The image by digest, or the repository.")
    same: bool
    changes: list[ChangeDocument]

    @classmethod
    def of(cls, found: Comparison) -> ComparisonDocument:
        """Return the document of a comparison."""
        return cls(
            schema_version=SCHEMA_VERSION,
            first=found.first,
            second=found.second,
            same=found.same,
            changes=[
                ChangeDocument(
                    platform=change.platform,
                    subject=change.subject,
                    first=change.first,
                    second=change.second,
                )
                for change in found.changes
            ],
        )
