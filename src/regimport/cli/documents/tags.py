"""The document that `tags` prints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from regimport.cli.documents.base import SCHEMA_VERSION, Document

__all__ = ["TagsDocument"]


class TagsDocument(Document):
    """The tags of a repository."""

    schema_version: Literal["1"] = Field(description="Changes when a field changes its meaning.")
    repository: str = Field(description="The repository as it was named.")
    tags: list[str] = Field(description="In the order of the registry, or the one asked for.")

    @classmethod
    def of(cls, repository: str, tags: Iterable[str]) -> TagsDocument:
        """Return the document of a list of tags."""
        return cls(schema_version=SCHEMA_VERSION, repository=repository, tags=list(tags))
