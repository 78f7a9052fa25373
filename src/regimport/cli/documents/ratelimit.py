"""The document that `ratelimit` prints."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from regimport.cli.documents.base import SCHEMA_VERSION, Document
from regimport.engine.document import rate_limit_document
from regimport.models.ratelimit import RateLimit

__all__ = ["RateLimitAnswer", "RateLimitDocument"]


class RateLimitDocument(Document):
    """How many pulls a registry still allows."""

    limit: int | None = Field(description="Pulls in a window.")
    remaining: int | None = Field(description="Pulls that are left in it.")
    window_seconds: int | None
    source: str | None = Field(description="The address or the account that the limit is for.")
    source_kind: Literal["address", "account"] | None

    @classmethod
    def of(cls, found: RateLimit) -> RateLimitDocument:
        """Return the document of a rate limit."""
        return cls.model_validate(rate_limit_document(found))


class RateLimitAnswer(Document):
    """The rate limit that a registry reports."""

    schema_version: Literal["1"] = Field(description="Changes when a field changes its meaning.")
    registry: str
    rate_limit: RateLimitDocument | None = Field(description="null if the registry reports none.")

    @classmethod
    def of(cls, registry: str, found: RateLimit | None) -> RateLimitAnswer:
        """Return the document of a registry and its rate limit."""
        limit = None if found is None else RateLimitDocument.of(found)
        return cls(schema_version=SCHEMA_VERSION, registry=registry, rate_limit=limit)
