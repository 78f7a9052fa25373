"""The document that `copy` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from pydantic import Field

from regimport.cli.documents.base import SCHEMA_VERSION, Document, ErrorDocument
from regimport.cli.documents.ratelimit import RateLimitDocument
from regimport.cli.documents.verification import ReadBackDocument
from regimport.engine.document import document_of, import_document
from regimport.engine.report import ImportReport, Report
from regimport.engine.tally import Tally
from regimport.errors import RegimportError

__all__ = ["ReportDocument"]


class TallyDocument(Document):
    """Counts at one target, in a dry run those of the plan; sizes in bytes."""

    manifests_copied: int
    manifests_present: int
    blobs_copied: int
    blobs_mounted: int = Field(description="Blobs mounted from another repository there.")
    blobs_present: int
    blobs_skipped: int = Field(description="Foreign layers that the source does not have.")
    bytes_copied: int
    bytes_mounted: int
    bytes_present: int


class StepDocument(Document):
    """One manifest or blob of a plan."""

    kind: Literal["manifest", "blob"]
    action: Literal["present", "mount", "copy", "skip"]
    digest: str
    media_type: str
    size: int = Field(description="Bytes.")
    platform: str | None


class TargetDocument(Document):
    """One target of a copy."""

    reference: str = Field(description="The target as it was named, in full.")
    repository: str = Field(description="The registry and the repository, or the layout.")
    tag: str | None = Field(description="The tag that was set; null if there is none.")
    pinned: str = Field(description="The target by digest: registry/repository@digest.")
    status: Literal["copied", "present", "planned", "failed"]
    confirmed: bool = Field(
        description="Whether the target has shown that the reference points to the image. If it "
        "has not, although the copy succeeded, the account may only write there."
    )
    tally: TallyDocument = Field(description="The counts of the repository: its tags share them.")
    steps: list[StepDocument] | None = Field(description="The plan, in a dry run.")
    error: ErrorDocument | None
    verification: ReadBackDocument | None = Field(
        description="The result of reading it back; null if it was not read."
    )


class ReportDocument(Document):
    """The result of a copy."""

    schema_version: Literal["1"] = Field(description="Changes when a field changes its meaning.")
    source: str | None = Field(description="The source by digest; null if it was not found.")
    digest: str | None
    media_type: str | None
    dry_run: bool
    bytes_read: int = Field(description="Bytes of blobs read from the source.")
    duration_seconds: float
    jobs: int = Field(description="How many blobs and manifests were copied at once.")
    round_trip_seconds: float | None = Field(
        description="The shortest round trip to the slower side, from which `jobs` is chosen."
    )
    pulls: int = Field(
        description="Manifests read from the source's registry; Docker Hub counts each as a pull."
    )
    rate_limit: RateLimitDocument | None = Field(
        description="The rate limit that the source's registry reports; null if it reports none."
    )
    exit_code: int = Field(description="What the command exits with.")
    tally: TallyDocument = Field(
        description="The counts of all targets; those of a repository count once."
    )
    targets: list[TargetDocument]
    error: ErrorDocument | None = Field(description="Why no target was tried, if none was.")

    @classmethod
    def of(cls, report: Report | ImportReport) -> ReportDocument:
        """Return the document of a report."""
        if isinstance(report, ImportReport):
            return cls.model_validate(import_document(report))
        return cls.model_validate(document_of(report))

    @classmethod
    def failed(cls, error: RegimportError) -> ReportDocument:
        """Return the document of a copy that failed before any target was tried."""
        return cls(
            schema_version=SCHEMA_VERSION,
            source=None,
            digest=None,
            media_type=None,
            dry_run=False,
            bytes_read=0,
            duration_seconds=0.0,
            jobs=0,
            round_trip_seconds=None,
            pulls=0,
            rate_limit=None,
            exit_code=error.exit_code,
            tally=TallyDocument(**asdict(Tally())),
            targets=[],
            error=ErrorDocument.of(error),
        )
