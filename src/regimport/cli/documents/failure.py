"""The document that a command prints with `--output json` when it fails."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from regimport.cli.documents.base import SCHEMA_VERSION, Document, ErrorDocument
from regimport.errors import RegimportError

__all__ = ["FailureDocument", "document_of_failure"]


class FailureDocument(Document):
    """An error; `copy` and `verify` print it in a document of their own, with these fields."""

    schema_version: Literal["1"] = Field(description="Changes when a field changes its meaning.")
    exit_code: int = Field(description="What the command exits with.")
    error: ErrorDocument

    @classmethod
    def failed(cls, error: RegimportError) -> FailureDocument:
        """Return the document of an error."""
        return cls(
            schema_version=SCHEMA_VERSION,
            exit_code=error.exit_code,
            error=ErrorDocument.of(error),
        )


def document_of_failure(command: str, error: RegimportError) -> Document:
    """Return the document that a command prints for an error that ended it."""
    if command == "copy":
        from regimport.cli.documents.report import ReportDocument

        return ReportDocument.failed(error)
    if command == "copy several":
        from regimport.cli.documents.many import ManyReportDocument

        return ManyReportDocument.failed(error)
    if command == "verify":
        from regimport.cli.documents.verification import VerificationDocument

        return VerificationDocument.failed(error)
    return FailureDocument.failed(error)
