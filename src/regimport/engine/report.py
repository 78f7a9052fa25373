"""What was done, as values: one report a copy, one entry a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from regimport.engine.plan import Plan
from regimport.engine.resolve import Delivery, Goal, Standing
from regimport.engine.tally import Tally, planned_tally
from regimport.engine.transfer import Transfer
from regimport.errors import RegimportError
from regimport.models.descriptor import Descriptor
from regimport.models.ratelimit import RateLimit
from regimport.models.reference import LayoutReference, Reference

if TYPE_CHECKING:
    from regimport.engine.differences import ReadBack

__all__ = ["Report", "Status", "TargetReport", "target_reports"]


class Status(StrEnum):
    """How a target came out of a copy."""

    COPIED = "copied"
    PRESENT = "present"
    PLANNED = "planned"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class TargetReport:
    """One target of a copy: its reference as it is pinned now, and what was done there.

    `tag` is the tag that was set, None if it is there by digest alone. `number` is its place in
    the plan, None if it had no part in one. `verification` is what came of reading it back, None
    if it was not.
    """

    reference: str
    tag: str | None
    status: Status
    pinned: str
    tally: Tally = field(default_factory=Tally)
    error: RegimportError | None = None
    number: int | None = None
    verification: ReadBack | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A whole copy. `source` is pinned by digest; `duration` in seconds.

    `plan` is what was to be done, None if every target had the image already. `jobs` is how many
    things went on at once, `round_trip` the measured time that it was chosen for, in seconds.
    `pulls` are the manifests that were got from the source's registry, each of which some count
    as a pull; `rate_limit` is what it says is left, None if it says nothing.
    """

    source: str
    root: Descriptor
    targets: tuple[TargetReport, ...]
    duration: float
    bytes_read: int = 0
    dry_run: bool = False
    plan: Plan | None = None
    jobs: int = 1
    round_trip: float | None = None
    pulls: int = 0
    rate_limit: RateLimit | None = None

    @property
    def failures(self) -> tuple[RegimportError, ...]:
        """The errors of the targets that failed."""
        return tuple(target.error for target in self.targets if target.error is not None)

    def raise_for_failure(self) -> None:
        """Raise the first target's error, if any target failed."""
        for error in self.failures:
            raise error

    @property
    def exit_code(self) -> int:
        """0 if every target has the image; else the code all failures share, or 1."""
        codes = {error.exit_code for error in self.failures}
        if not codes:
            return 0
        return codes.pop() if len(codes) == 1 else 1


def target_reports(
    references: Sequence[Reference | LayoutReference],
    goals: Sequence[Goal],
    root: Descriptor,
    standings: Sequence[Standing],
    sent: Sequence[Delivery],
    plan: Plan | None,
    result: Transfer | None,
) -> tuple[TargetReport, ...]:
    """Give the report of each target; `result` is None where nothing was carried out."""
    numbers = {delivery.end.name: number for number, delivery in enumerate(sent)}

    def report(
        reference: Reference | LayoutReference, goal: Goal, standing: Standing
    ) -> TargetReport:
        pinned = str(reference.pinned(root.digest))
        named = str(reference.tagged(reference.tag))
        if standing.reached:
            return TargetReport(named, reference.tag, Status.PRESENT, pinned)
        if standing.error is not None:
            return TargetReport(named, reference.tag, Status.FAILED, pinned, error=standing.error)
        number = numbers[goal.end.name]
        if result is None:
            assert plan is not None
            tally = planned_tally(plan.blobs[number], plan.manifests[number])
            return TargetReport(named, reference.tag, Status.PLANNED, pinned, tally, number=number)
        error = result.errors[number]
        status = Status.COPIED if error is None else Status.FAILED
        return TargetReport(named, reference.tag, status, pinned, result.tallies[number], error)

    return tuple(
        report(reference, goal, standing)
        for reference, goal, standing in zip(references, goals, standings, strict=True)
    )
