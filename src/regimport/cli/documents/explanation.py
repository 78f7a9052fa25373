"""What `auth explain` found, as the JSON document that it prints; its schema comes from here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from regimport.credentials.keychain import Explanation
from regimport.errors import Side
from regimport.models.reference import Reference

__all__ = ["ExplanationDocument"]


class PlaceDocument(BaseModel):
    """A place where credentials may be, and what came of looking there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    place: str
    outcome: Literal["used", "nothing", "failed", "not installed", "not asked"]
    detail: str


class SideDocument(BaseModel):
    """What counts for one side of a copy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    used: str | None = Field(description="The place whose credentials count; null for nobody's.")
    credential: str | None = Field(description="What it is, in words, without the secret.")
    error: str | None = Field(description="What a copy ends with before it finds any.")
    places: list[PlaceDocument] = Field(description="In the order in which they count.")

    @classmethod
    def of(cls, found: Explanation) -> SideDocument:
        """Put what was found into its document."""
        used = found.used
        credential = None if used is None else used.credential
        return cls(
            used=None if used is None else used.place,
            credential=None if credential is None else credential.described,
            error=None if found.error is None else found.error.message,
            places=[
                PlaceDocument(place=one.place, outcome=one.outcome.value, detail=one.detail)
                for one in found.looked
            ],
        )


class ExplanationDocument(BaseModel):
    """Which credentials a repository gets, as a source and as a target."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal["1"] = Field(description="Changes when a field changes its meaning.")
    registry: str
    repository: str
    source: SideDocument
    target: SideDocument

    @classmethod
    def of(cls, place: Reference, sides: Mapping[Side, Explanation]) -> ExplanationDocument:
        """Put what was found for both sides into its document."""
        return cls(
            schema_version="1",
            registry=place.registry,
            repository=place.repository,
            source=SideDocument.of(sides[Side.SOURCE]),
            target=SideDocument.of(sides[Side.TARGET]),
        )
