"""The document that `repositories` prints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from regimport.cli.documents.base import SCHEMA_VERSION, Document

__all__ = ["RepositoriesDocument"]


class RepositoriesDocument(Document):
    """The repositories of a registry."""

    schema_version: Literal["1"] = Field(description="Changes when a field changes its meaning.")
    registry: str = Field(description="The registry as it was named.")
    repositories: list[str] = Field(description="Without the registry, in its order.")

    @classmethod
    def of(cls, registry: str, repositories: Iterable[str]) -> RepositoriesDocument:
        """Return the document of a list of repositories."""
        return cls(
            schema_version=SCHEMA_VERSION, registry=registry, repositories=list(repositories)
        )
