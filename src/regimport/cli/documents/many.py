"""The document that `copy` prints for several images."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from pydantic import Field

from regimport.cli.documents.base import SCHEMA_VERSION, Document, ErrorDocument
from regimport.cli.documents.report import ReportDocument, TallyDocument
from regimport.engine.document import document_of_many
from regimport.engine.many import ManyReport
from regimport.engine.tally import Tally
from regimport.errors import RegimportError

__all__ = ["ManyReportDocument"]


class ImageDocument(Document):
    """One image of several."""

    source: str = Field(description="The source as it was named, in full.")
    targets: list[str]
    status: Literal["copied", "present", "planned", "failed"]
    report: ReportDocument | None = Field(description="Null if no target was tried.")
    error: ErrorDocument | None = Field(description="Why no target was tried.")


class ManyReportDocument(Document):
    """The result of a copy of several images."""

    schema_version: Literal["1"] = Field(description="Changes when a field changes its meaning.")
    dry_run: bool
    duration_seconds: float
    exit_code: int = Field(description="What the command exits with.")
    tally: TallyDocument = Field(description="The counts of all images.")
    images: list[ImageDocument]
    error: ErrorDocument | None = Field(description="What ended the command, if anything did.")

    @classmethod
    def of(cls, report: ManyReport) -> ManyReportDocument:
        """Return the document of a report."""
        return cls.model_validate(document_of_many(report))

    @classmethod
    def failed(cls, error: RegimportError) -> ManyReportDocument:
        """Return the document of a copy of several images that did not come to its end."""
        return cls(
            schema_version=SCHEMA_VERSION,
            dry_run=False,
            duration_seconds=0.0,
            exit_code=error.exit_code,
            tally=TallyDocument(**asdict(Tally())),
            images=[],
            error=ErrorDocument.of(error),
        )
