"""The document that `delete` prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import Field

from regimport.cli.documents.base import SCHEMA_VERSION, Document, ErrorDocument
from regimport.engine.deletion import Deletion, ManifestUse
from regimport.errors import RegimportError

__all__ = ["DeletionDocument"]


class DeletedDocument(Document):
    """What became of one reference."""

    reference: str = Field(description="The tag or digest that was named, in full.")
    digest: str
    other_tags: list[str] = Field(description="The other tags that pointed to the same manifest.")
    deleted_tags: list[str] = Field(description="Empty if nothing was deleted, and in a dry run.")
    deleted_manifest: bool = Field(description="Whether the manifest was deleted, not a tag alone.")
    error: ErrorDocument | None = Field(description="Why nothing was deleted.")


class DeletionDocument(Document):
    """What was deleted."""

    schema_version: Literal["1"] = Field(description="Changes when a field changes its meaning.")
    dry_run: bool
    references: list[DeletedDocument]

    @classmethod
    def of(
        cls,
        uses: Iterable[ManifestUse],
        outcomes: Mapping[ManifestUse, Deletion | RegimportError],
        *,
        dry_run: bool,
    ) -> DeletionDocument:
        """Return the document of what was found, and of what became of it."""
        return cls(
            schema_version=SCHEMA_VERSION,
            dry_run=dry_run,
            references=[_deleted(use, outcomes.get(use)) for use in uses],
        )


def _deleted(use: ManifestUse, outcome: Deletion | RegimportError | None) -> DeletedDocument:
    done = outcome if isinstance(outcome, Deletion) else None
    return DeletedDocument(
        reference=str(use),
        digest=use.digest,
        other_tags=list(use.other_tags),
        deleted_tags=list(done.tags) if done else [],
        deleted_manifest=done is not None and done.manifest,
        error=ErrorDocument.of(outcome) if isinstance(outcome, RegimportError) else None,
    )
