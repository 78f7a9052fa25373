"""The document that `auth explain` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from regimport.cli.documents.base import SCHEMA_VERSION, Document, ErrorDocument
from regimport.credentials.keychain import Explanation
from regimport.errors import Side
from regimport.models.reference import Reference

__all__ = ["ExplanationDocument"]


class PlaceDocument(Document):
    """A place that is searched for credentials, and what was found there."""

    place: str
    outcome: Literal["used", "nothing", "failed", "not installed", "not asked"]
    detail: str


class SideDocument(Document):
    """The credentials of one side of a copy."""

    used: str | None = Field(description="The place whose credentials are used; null for none.")
    credential: str | None = Field(description="A description without the secret.")
    error: str | None = Field(description="The error that ends the search.")
    places: list[PlaceDocument] = Field(description="In the order in which they are searched.")

    @classmethod
    def of(cls, found: Explanation) -> SideDocument:
        """Return the document of one side."""
        used = found.used
        credential = None if used is None else used.credential
        return cls(
            used=None if used is None else used.place,
            credential=None if credential is None else credential.described,
            error=None if found.error is None else found.error.message,
            places=[
                PlaceDocument(place=look.place, outcome=look.outcome.value, detail=look.detail)
                for look in found.looked
            ],
        )


class ExplanationDocument(Document):
    """The credentials that are used for a repository, as a source and as a target."""

    schema_version: Literal["1"] = Field(description="Changes when a field changes its meaning.")
    registry: str
    repository: str
    source: SideDocument
    target: SideDocument
    exit_code: int = Field(description="What the command exits with.")
    error: ErrorDocument | None = Field(description="The first error of the sides.")

    @classmethod
    def of(cls, place: Reference, sides: Mapping[Side, Explanation]) -> ExplanationDocument:
        """Return the document of both sides."""
        errors = [side.error for side in sides.values() if side.error is not None]
        return cls(
            schema_version=SCHEMA_VERSION,
            registry=place.registry,
            repository=place.repository,
            source=SideDocument.of(sides[Side.SOURCE]),
            target=SideDocument.of(sides[Side.TARGET]),
            exit_code=errors[0].exit_code if errors else 0,
            error=ErrorDocument.of(errors[0]) if errors else None,
        )
