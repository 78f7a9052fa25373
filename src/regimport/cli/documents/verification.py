"""The document that `verify` prints; parts of it are in that of `copy --verify`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from regimport.cli.documents.base import SCHEMA_VERSION, Document, ErrorDocument
from regimport.engine.differences import ReadBack, Verification
from regimport.engine.document import read_back_document
from regimport.errors import RegimportError

__all__ = ["DifferenceDocument", "ReadBackDocument", "VerificationDocument"]


class DifferenceDocument(Document):
    """A tag, manifest, config or layer that is missing or different."""

    side: Literal["source", "target"]
    flaw: Literal["missing", "digest", "size", "tag"] = Field(
        description="tag: it points to another image."
    )
    what: Literal["tag", "manifest", "config", "layer"]
    name: str = Field(description="The tag, or the digest that was asked for.")
    expected: str = Field(description="The digest or the size that it must have.")
    got: str | None = Field(
        description="The digest or the size that it has; null if it is missing."
    )
    manifest: str | None = Field(description="The digest of the manifest that names it.")
    platform: str | None


class ReadBackDocument(Document):
    """The result of reading an image at one end."""

    side: Literal["source", "target"]
    name: str = Field(description="The repository or the layout.")
    manifests: int = Field(description="Manifests that were read; each is counted once.")
    blobs: int
    skipped: int = Field(description="Foreign layers, which it does not need to have.")
    bytes_read: int = Field(description="Bytes of blobs.")
    differences: list[DifferenceDocument]

    @classmethod
    def of(cls, found: ReadBack) -> ReadBackDocument:
        """Return the document of what was read at one end."""
        return cls.model_validate(read_back_document(found))


class VerificationDocument(Document):
    """The result of comparing an image at both ends."""

    schema_version: Literal["1"] = Field(description="Changes when a field changes its meaning.")
    source: str | None = Field(description="The source by digest; null if it was not found.")
    target: str | None = Field(description="The target by the source's digest.")
    digest: str | None
    media_type: str | None
    duration_seconds: float
    exit_code: int = Field(description="What the command exits with.")
    ends: list[ReadBackDocument] = Field(description="The ends that were read.")
    error: ErrorDocument | None = Field(description="Why nothing was compared; null otherwise.")

    @classmethod
    def of(cls, found: Verification) -> VerificationDocument:
        """Return the document of a verification."""
        return cls(
            schema_version=SCHEMA_VERSION,
            source=found.source,
            target=found.target,
            digest=found.root.digest,
            media_type=found.root.media_type,
            duration_seconds=round(found.duration, 3),
            exit_code=found.exit_code,
            ends=[ReadBackDocument.of(end) for end in found.ends],
            error=None,
        )

    @classmethod
    def failed(cls, error: RegimportError) -> VerificationDocument:
        """Return the document of a verification that failed before it had a result."""
        return cls(
            schema_version=SCHEMA_VERSION,
            source=None,
            target=None,
            digest=None,
            media_type=None,
            duration_seconds=0.0,
            exit_code=error.exit_code,
            ends=[],
            error=ErrorDocument.of(error),
        )
