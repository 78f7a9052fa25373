"""A report, and what it is made of, as JSON; `regimport schema report` describes the form."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from regimport.engine.tally import Tally
from regimport.errors import RegimportError, RegistryError

if TYPE_CHECKING:
    from regimport.engine.differences import ReadBack
    from regimport.engine.many import ManyReport
    from regimport.engine.report import ImportReport, Report, TargetReport
    from regimport.engine.steps import Step
    from regimport.engine.subset import Subset
    from regimport.models.ratelimit import RateLimit
    from regimport.models.referrers import Referrers

__all__ = [
    "document_of",
    "document_of_many",
    "error_document",
    "import_document",
    "rate_limit_document",
    "read_back_document",
]

_VERSION = "1"


def document_of(report: Report) -> dict[str, object]:
    """Return the members of the document, of values that JSON knows."""
    limit = report.rate_limit
    return {
        "schema_version": _VERSION,
        "source": report.source,
        "digest": report.root.digest,
        "media_type": report.root.media_type,
        "dry_run": report.dry_run,
        "bytes_read": report.bytes_read,
        "duration_seconds": round(report.duration, 3),
        "jobs": report.jobs,
        "round_trip_seconds": None if report.round_trip is None else round(report.round_trip, 4),
        "pulls": report.pulls,
        "rate_limit": None if limit is None else rate_limit_document(limit),
        "exit_code": report.exit_code,
        "referrers": None if report.referrers is None else _referrers(report.referrers),
        "tally": asdict(report.tally),
        "subset": None if report.subset is None else _subset(report, report.subset),
        "targets": [_target(target, dry_run=report.dry_run) for target in report.targets],
        "error": None,
    }


def import_document(report: ImportReport) -> dict[str, object]:
    """Return the members of the document of an import, which has those of a copy."""
    root, limit = report.root, report.rate_limit
    return {
        "schema_version": _VERSION,
        "source": report.source,
        "digest": None if root is None else root.digest,
        "media_type": None if root is None else root.media_type,
        "dry_run": report.dry_run,
        "bytes_read": 0,
        "duration_seconds": round(report.duration, 3),
        "jobs": 0,
        "round_trip_seconds": None,
        "pulls": report.pulls,
        "rate_limit": None if limit is None else rate_limit_document(limit),
        "exit_code": report.exit_code,
        "referrers": None,
        "tally": asdict(Tally()),
        "subset": None,
        "targets": [_target(target, dry_run=report.dry_run) for target in report.targets],
        "error": None,
    }


def _subset(report: Report, subset: Subset) -> dict[str, object]:
    return {
        "source_digest": subset.source,
        "digest": subset.digest,
        "platforms": list(subset.platforms),
        "attestations": subset.attestations,
        "index": json.loads(subset.index.raw) if report.dry_run else None,
    }


def _referrers(referrers: Referrers) -> dict[str, object]:
    return {
        "complete": referrers.complete,
        "found": [
            {
                "subject": found.subject,
                "digest": found.manifest.digest,
                "media_type": found.manifest.media_type,
                "artifact_type": found.artifact_type or None,
                "tag": found.tag,
            }
            for found in referrers.found
        ],
    }


def document_of_many(report: ManyReport) -> dict[str, object]:
    """Return the members of the document about several images."""
    return {
        "schema_version": _VERSION,
        "dry_run": report.dry_run,
        "duration_seconds": round(report.duration, 3),
        "exit_code": report.exit_code,
        "tally": asdict(report.tally),
        "images": [
            {
                "source": image.source,
                "targets": list(image.targets),
                "status": image.status.value,
                "report": None if image.report is None else document_of(image.report),
                "error": None if image.error is None else error_document(image.error),
            }
            for image in report.images
        ],
        "error": None,
    }


def rate_limit_document(limit: RateLimit) -> dict[str, object]:
    """Return the members of a rate limit."""
    kind = "address" if limit.by_address else "account"
    return {
        "limit": limit.limit,
        "remaining": limit.remaining,
        "window_seconds": limit.window,
        "source": limit.source,
        "source_kind": None if limit.source is None else kind,
    }


def _target(target: TargetReport, *, dry_run: bool) -> dict[str, object]:
    plan = target.plan if dry_run else None
    read_back = target.verification
    steps = None
    if plan is not None:
        steps = [_step("blob", step) for step in plan.blobs]
        steps += [_step("manifest", step) for step in plan.manifests]
    return {
        "reference": target.reference,
        "repository": target.repository,
        "tag": target.tag,
        "pinned": target.pinned,
        "status": target.status.value,
        "confirmed": target.confirmed,
        "examined": target.examined,
        "backup": target.backup,
        "tally": asdict(target.tally),
        "steps": steps,
        "error": None if target.error is None else error_document(target.error),
        "verification": None if read_back is None else read_back_document(read_back),
    }


def _step(kind: str, step: Step) -> dict[str, object]:
    found = step.descriptor
    return {
        "kind": kind,
        "action": step.action.value,
        "digest": found.digest,
        "media_type": found.media_type,
        "size": found.size,
        "platform": None if found.platform is None else str(found.platform),
    }


def error_document(error: RegimportError) -> dict[str, object]:
    """Return the members of an error."""
    answered = error if isinstance(error, RegistryError) else None
    return {
        "kind": type(error).__name__,
        "exit_code": error.exit_code,
        "message": error.message,
        "hint": error.hint,
        "side": None if error.side is None else error.side.value,
        "registry": error.registry,
        "repository": error.repository,
        "status": None if answered is None else answered.status,
        "codes": [] if answered is None else list(answered.codes),
    }


def read_back_document(end: ReadBack) -> dict[str, object]:
    """Return the members of what was read at one end."""
    return {
        "side": end.side.value,
        "name": end.name,
        "manifests": end.manifests,
        "blobs": end.blobs,
        "skipped": end.skipped,
        "bytes_read": end.bytes_read,
        "differences": [
            {
                "side": found.side.value,
                "flaw": found.flaw.value,
                "what": found.what.value,
                "name": found.name,
                "expected": found.expected,
                "got": found.got,
                "manifest": found.manifest,
                "platform": found.platform,
            }
            for found in end.differences
        ],
    }
