"""What was done, as values: one report a copy, one entry a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from regimport.engine.plan import Action, Plan, Step
from regimport.errors import RegimportError
from regimport.models.descriptor import Descriptor

__all__ = ["Report", "Status", "Tally", "TargetReport", "planned_tally"]


class Status(StrEnum):
    """How a target came out of a copy."""

    COPIED = "copied"
    PRESENT = "present"
    PLANNED = "planned"
    FAILED = "failed"


@dataclass(slots=True)
class Tally:
    """Counts at one target; sizes in bytes."""

    manifests_copied: int = 0
    manifests_present: int = 0
    blobs_copied: int = 0
    blobs_mounted: int = 0
    blobs_present: int = 0
    blobs_skipped: int = 0
    bytes_copied: int = 0
    bytes_mounted: int = 0
    bytes_present: int = 0


@dataclass(frozen=True, slots=True)
class TargetReport:
    """One target of a copy: its reference as it is pinned now, and what was done there.

    `tag` is the tag that was set, None if it is there by digest alone.
    """

    reference: str
    tag: str | None
    status: Status
    pinned: str
    tally: Tally = field(default_factory=Tally)
    error: RegimportError | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A whole copy. `source` is pinned by digest; `duration` in seconds."""

    source: str
    root: Descriptor
    targets: tuple[TargetReport, ...]
    duration: float
    bytes_read: int = 0
    dry_run: bool = False
    warnings: tuple[str, ...] = ()
    plan: Plan | None = None

    @property
    def failures(self) -> tuple[RegimportError, ...]:
        """The errors of the targets that failed."""
        return tuple(target.error for target in self.targets if target.error is not None)

    @property
    def exit_code(self) -> int:
        """0 if every target has the image; else the code all failures share, or 1."""
        codes = {error.exit_code for error in self.failures}
        if not codes:
            return 0
        return codes.pop() if len(codes) == 1 else 1


def planned_tally(blobs: Sequence[Step], manifests: Sequence[Step]) -> Tally:
    """Count what a plan would do at one target."""
    tally = Tally()
    for step in manifests:
        if step.action is Action.COPY:
            tally.manifests_copied += 1
        else:
            tally.manifests_present += 1
    for step in blobs:
        count_blob(tally, step.action, step.descriptor.size)
    return tally


def count_blob(tally: Tally, action: Action, size: int) -> None:
    """Add one blob to a tally."""
    if action is Action.COPY:
        tally.blobs_copied += 1
        tally.bytes_copied += size
    elif action is Action.MOUNT:
        tally.blobs_mounted += 1
        tally.bytes_mounted += size
    elif action is Action.PRESENT:
        tally.blobs_present += 1
        tally.bytes_present += size
    else:
        tally.blobs_skipped += 1
