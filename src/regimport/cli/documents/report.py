"""The document that `copy` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

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
    examined: bool = Field(
        description="Whether all that was there was looked at (--repair): the status present "
        "means that it is whole, copied that something was repaired."
    )
    backup: str | None = Field(
        description="The reference that keeps the old image of the tag; null if there is none."
    )
    tally: TallyDocument = Field(description="The counts of the repository: its tags share them.")
    steps: list[StepDocument] | None = Field(description="The plan, in a dry run.")
    error: ErrorDocument | None
    verification: ReadBackDocument | None = Field(
        description="The result of reading it back; null if it was not read."
    )


class SubsetDocument(Document):
    """The new index that was made of a part of the source's.

    Signatures and referrers of the source's index do not cover it, and are not copied.
    """

    source_digest: str = Field(description="The index that it is a part of.")
    digest: str = Field(description="The new index.")
    platforms: list[str] = Field(description="The platforms asked for; empty if all are in it.")
    attestations: bool = Field(description="Whether the attestations of the images are in it.")
    index: dict[str, Any] | None = Field(description="Its content, in a dry run.")


class ReferrerDocument(Document):
    """A manifest that belongs to another one: a signature, an SBOM, an attestation."""

    subject: str = Field(description="The digest of the manifest that it belongs to.")
    digest: str
    media_type: str
    artifact_type: str | None = Field(description="What it is; null if it does not say.")
    tag: str | None = Field(
        description="The digest tag that points to it; null if it names its subject itself."
    )


class ReferrersDocument(Document):
    """What belongs to an image."""

    complete: bool = Field(description="Whether the source told all that it has.")
    found: list[ReferrerDocument]


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
    referrers: ReferrersDocument | None = Field(
        description="What belongs to the image and came along; null without --referrers."
    )
    tally: TallyDocument = Field(
        description="The counts of all targets; those of a repository count once."
    )
    subset: SubsetDocument | None = Field(
        description="The new index, where some platforms make one; null if no digest changed."
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
            referrers=None,
            tally=TallyDocument(**asdict(Tally())),
            subset=None,
            targets=[],
            error=ErrorDocument.of(error),
        )
