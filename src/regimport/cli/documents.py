"""The JSON documents that commands print, as models that document themselves."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from regimport.engine.differences import Difference, ReadBack, Verification
from regimport.engine.examine import Inspection, Node
from regimport.engine.plan import Plan, Step
from regimport.engine.report import Report, TargetReport
from regimport.errors import RegimportError, RegistryError
from regimport.models.descriptor import Descriptor
from regimport.models.ratelimit import RateLimit

__all__ = [
    "DOCUMENTS",
    "InspectionDocument",
    "RateLimitAnswer",
    "ReportDocument",
    "VerificationDocument",
]

SCHEMA_VERSION: Literal["1"] = "1"


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ErrorDocument(_Document):
    """Why something failed."""

    kind: str = Field(description="The error's class, e.g. NotFound.")
    exit_code: int = Field(description="The exit code that this error alone leads to.")
    message: str
    hint: str | None = Field(description="What the user can do about it.")
    side: Literal["source", "target"] | None
    registry: str | None
    repository: str | None
    status: int | None = Field(description="The HTTP status that the registry answered.")
    codes: list[str] = Field(description="The registry's own error codes.")

    @classmethod
    def of(cls, error: RegimportError) -> ErrorDocument:
        """Put an error into its document."""
        answered = error if isinstance(error, RegistryError) else None
        return cls(
            kind=type(error).__name__,
            exit_code=error.exit_code,
            message=error.message,
            hint=error.hint,
            side=None if error.side is None else error.side.value,
            registry=error.registry,
            repository=error.repository,
            status=None if answered is None else answered.status,
            codes=[] if answered is None else list(answered.codes),
        )


class TallyDocument(_Document):
    """Counts at one target, or what they would be in a dry run; sizes in bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)

    manifests_copied: int
    manifests_present: int
    blobs_copied: int
    blobs_mounted: int = Field(description="Blobs taken over from another repository there.")
    blobs_present: int
    blobs_skipped: int = Field(description="Foreign layers that the source does not hold.")
    bytes_copied: int
    bytes_mounted: int
    bytes_present: int


class DifferenceDocument(_Document):
    """A tag, manifest, config or layer that is not as it must be."""

    side: Literal["source", "target"]
    flaw: Literal["missing", "digest", "size", "tag"] = Field(
        description="tag: it points to another image."
    )
    what: Literal["tag", "manifest", "config", "layer"]
    name: str = Field(description="The tag, or the digest that was asked for.")
    expected: str = Field(description="The digest or the size that it must have.")
    got: str | None = Field(description="What it has; null if it is missing.")
    manifest: str | None = Field(description="The digest of the manifest that names it.")
    platform: str | None

    @classmethod
    def of(cls, found: Difference) -> DifferenceDocument:
        """Put a difference into its document."""
        return cls(
            side=found.side.value,
            flaw=found.flaw.value,
            what=found.what.value,
            name=found.name,
            expected=found.expected,
            got=found.got,
            manifest=found.manifest,
            platform=found.platform,
        )


class ReadBackDocument(_Document):
    """What came of reading an image at one end."""

    side: Literal["source", "target"]
    name: str = Field(description="The repository or the layout.")
    manifests: int = Field(description="Manifests that were read, each once.")
    blobs: int
    skipped: int = Field(description="Foreign layers that it does not hold, and need not.")
    bytes_read: int = Field(description="Bytes of blobs.")
    differences: list[DifferenceDocument]

    @classmethod
    def of(cls, found: ReadBack) -> ReadBackDocument:
        """Put what was read at one end into its document."""
        return cls(
            side=found.side.value,
            name=found.name,
            manifests=found.manifests,
            blobs=found.blobs,
            skipped=found.skipped,
            bytes_read=found.bytes_read,
            differences=[DifferenceDocument.of(one) for one in found.differences],
        )


class VerificationDocument(_Document):
    """What came of comparing two images by reading them."""

    schema_version: Literal["1"] = Field(description="Changes when a field changes its meaning.")
    source: str | None = Field(description="The source by digest; null if it was not found.")
    target: str | None = Field(description="The target by the source's digest.")
    digest: str | None
    media_type: str | None
    duration_seconds: float
    exit_code: int = Field(description="What the command exits with.")
    ends: list[ReadBackDocument] = Field(description="The ends that were read.")
    error: ErrorDocument | None = Field(description="Why nothing was compared, if so.")

    @classmethod
    def of(cls, found: Verification) -> VerificationDocument:
        """Put a verification into its document."""
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
        """Give the document of a verification that came to no result."""
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


class RateLimitDocument(_Document):
    """How many pulls a registry still allows."""

    limit: int | None = Field(description="Pulls in a window.")
    remaining: int | None = Field(description="What is left of them.")
    window_seconds: int | None
    source: str | None = Field(description="Whom the limit is for: an address, or an account.")
    source_kind: Literal["address", "account"] | None

    @classmethod
    def of(cls, found: RateLimit) -> RateLimitDocument:
        """Put a limit into its document."""
        kind: Literal["address", "account"] = "address" if found.by_address else "account"
        return cls(
            limit=found.limit,
            remaining=found.remaining,
            window_seconds=found.window,
            source=found.source,
            source_kind=None if found.source is None else kind,
        )


class RateLimitAnswer(_Document):
    """What `regimport ratelimit` found."""

    schema_version: Literal["1"] = Field(description="Changes when a field changes its meaning.")
    registry: str
    rate_limit: RateLimitDocument | None = Field(description="null if the registry tells none.")

    @classmethod
    def of(cls, registry: str, found: RateLimit | None) -> RateLimitAnswer:
        """Put what was found into its document."""
        told = None if found is None else RateLimitDocument.of(found)
        return cls(schema_version=SCHEMA_VERSION, registry=registry, rate_limit=told)


class StepDocument(_Document):
    """One manifest or blob of a plan."""

    kind: Literal["manifest", "blob"]
    action: Literal["present", "mount", "copy", "skip"]
    digest: str
    media_type: str
    size: int = Field(description="Bytes.")
    platform: str | None


class TargetDocument(_Document):
    """One target of a copy."""

    reference: str = Field(description="The target as it was named, in full.")
    tag: str | None = Field(description="The tag that was set; null if there is none.")
    pinned: str = Field(description="The target by digest: registry/repository@digest.")
    status: Literal["copied", "present", "planned", "failed"]
    tally: TallyDocument
    steps: list[StepDocument] | None = Field(description="The plan, in a dry run.")
    error: ErrorDocument | None
    verification: ReadBackDocument | None = Field(
        description="What came of reading it back; null if it was not."
    )


class ReportDocument(_Document):
    """What a copy did."""

    schema_version: Literal["1"] = Field(description="Changes when a field changes its meaning.")
    source: str | None = Field(description="The source by digest; null if it was not found.")
    digest: str | None
    media_type: str | None
    dry_run: bool
    bytes_read: int = Field(description="Bytes of blobs read from the source.")
    duration_seconds: float
    jobs: int = Field(description="How many blobs and manifests went on at once.")
    round_trip_seconds: float | None = Field(
        description="The shortest answer of the slower side; `jobs` is chosen for it."
    )
    pulls: int = Field(
        description="Manifests got from the source's registry; Docker Hub counts each as a pull."
    )
    rate_limit: RateLimitDocument | None = Field(
        description="What the source's registry says is left; null if it says nothing."
    )
    exit_code: int = Field(description="What the command exits with.")
    targets: list[TargetDocument]
    error: ErrorDocument | None = Field(description="Why no target was tried, if none was.")

    @classmethod
    def of(cls, report: Report) -> ReportDocument:
        """Put a report into its document."""
        return cls(
            schema_version=SCHEMA_VERSION,
            source=report.source,
            digest=report.root.digest,
            media_type=report.root.media_type,
            dry_run=report.dry_run,
            bytes_read=report.bytes_read,
            duration_seconds=round(report.duration, 3),
            jobs=report.jobs,
            round_trip_seconds=None if report.round_trip is None else round(report.round_trip, 4),
            pulls=report.pulls,
            rate_limit=(
                None if report.rate_limit is None else RateLimitDocument.of(report.rate_limit)
            ),
            exit_code=report.exit_code,
            targets=[_target(report, target) for target in report.targets],
            error=None,
        )

    @classmethod
    def failed(cls, error: RegimportError) -> ReportDocument:
        """Give the document of a copy that ended before any target was tried."""
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
            targets=[],
            error=ErrorDocument.of(error),
        )


class BlobDocument(_Document):
    """A config or a layer."""

    media_type: str
    digest: str
    size: int = Field(description="Bytes.")

    @classmethod
    def of(cls, blob: Descriptor) -> BlobDocument:
        """Put a descriptor into its document."""
        return cls(media_type=blob.media_type, digest=blob.digest, size=blob.size)


class NodeDocument(_Document):
    """A manifest or an index of the tree, with what is under it."""

    media_type: str
    artifact_type: str | None
    digest: str
    size: int = Field(description="Bytes of the manifest itself.")
    platform: str | None
    annotations: dict[str, str] = Field(description="As its parent describes it.")
    config: BlobDocument | None
    layers: list[BlobDocument]
    manifests: list[NodeDocument]

    @classmethod
    def of(cls, node: Node) -> NodeDocument:
        """Put a node into its document."""
        found = node.descriptor
        return cls(
            media_type=found.media_type,
            artifact_type=node.artifact_type,
            digest=found.digest,
            size=found.size,
            platform=None if found.platform is None else str(found.platform),
            annotations=dict(found.annotations),
            config=None if node.config is None else BlobDocument.of(node.config),
            layers=[BlobDocument.of(layer) for layer in node.layers],
            manifests=[cls.of(child) for child in node.children],
        )


class InspectionDocument(_Document):
    """What an image is made of."""

    schema_version: Literal["1"] = Field(description="Changes when a field changes its meaning.")
    reference: str = Field(description="The image by digest.")
    manifests: int = Field(description="The manifests that its index names; 1 without an index.")
    blobs: int
    total_bytes: int = Field(description="Shared content counted as often as it is named.")
    unique_bytes: int = Field(description="Shared content counted once.")
    violations: list[str] = Field(description="The limits it exceeds; empty if it keeps them.")
    root: NodeDocument

    @classmethod
    def of(cls, inspection: Inspection) -> InspectionDocument:
        """Put an inspection into its document."""
        return cls(
            schema_version=SCHEMA_VERSION,
            reference=inspection.reference,
            manifests=inspection.manifests,
            blobs=inspection.blobs,
            total_bytes=inspection.total_bytes,
            unique_bytes=inspection.unique_bytes,
            violations=list(inspection.violations),
            root=NodeDocument.of(inspection.root),
        )


DOCUMENTS: dict[str, type[BaseModel]] = {
    "report": ReportDocument,
    "inspection": InspectionDocument,
    "verification": VerificationDocument,
    "ratelimit": RateLimitAnswer,
}


def _target(report: Report, target: TargetReport) -> TargetDocument:
    steps = None
    if report.dry_run and report.plan is not None and target.number is not None:
        steps = _steps(report.plan, target.number)
    return TargetDocument(
        reference=target.reference,
        tag=target.tag,
        pinned=target.pinned,
        status=target.status.value,
        tally=TallyDocument.model_validate(target.tally),
        steps=steps,
        error=None if target.error is None else ErrorDocument.of(target.error),
        verification=(
            None if target.verification is None else ReadBackDocument.of(target.verification)
        ),
    )


def _steps(plan: Plan, number: int) -> list[StepDocument]:
    blobs = [_step("blob", step) for step in plan.blobs[number]]
    return blobs + [_step("manifest", step) for step in plan.manifests[number]]


def _step(kind: Literal["manifest", "blob"], step: Step) -> StepDocument:
    found = step.descriptor
    return StepDocument(
        kind=kind,
        action=step.action.value,
        digest=found.digest,
        media_type=found.media_type,
        size=found.size,
        platform=None if found.platform is None else str(found.platform),
    )
