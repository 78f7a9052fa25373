"""What was done, as values: a report for each copy, with an entry for each target."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from regimport.engine.steps import Plan
from regimport.engine.tally import Tally
from regimport.engine.target import Status, TargetCopy
from regimport.errors import RegimportError
from regimport.models.descriptor import Descriptor
from regimport.models.ratelimit import RateLimit
from regimport.models.reference import AnyReference
from regimport.values import dataclass, field

if TYPE_CHECKING:
    from regimport.engine.differences import ReadBack
    from regimport.engine.subset import Subset
    from regimport.models.referrers import Referrers

__all__ = ["ImportReport", "Report", "TargetReport", "target_reports"]

_THERE = frozenset({Status.COPIED, Status.PRESENT})


@dataclass(frozen=True, slots=True)
class TargetReport:
    """One target of a copy: its reference, and what was done there.

    `pinned` is the reference by digest. `tag` is the tag that was set, None if the image is there
    by digest alone. `plan` is what was to be done, None if nothing was: the image was there, or
    the target had failed before. `verification` is None unless the image was read back.
    `confirmed` is whether the target has shown that the reference points to the image: not so in a
    dry run, and where a registry takes what it is sent but lets this account read nothing.
    `examined` is whether all that was there was looked at: then the status `present` means that it
    is whole, `copied` that something was repaired. `backup` is the reference that keeps the old
    image of the tag, in a dry run the one that would.
    """

    reference: str
    tag: str | None
    status: Status
    pinned: str
    tally: Tally = field(default_factory=Tally)
    error: RegimportError | None = None
    plan: Plan | None = None
    verification: ReadBack | None = None
    confirmed: bool = False
    examined: bool = False
    backup: str | None = None

    def __str__(self) -> str:
        """Return its reference and what was done: `r.example/app@sha256:…: copied`."""
        if self.error is None:
            return f"{self.pinned}: {self.status}"
        return f"{self.reference}: failed: {self.error.message.splitlines()[0]}"

    @property
    def repository(self) -> str:
        """The repository of the target: `registry/repository` or `oci:path`."""
        return self.pinned.rpartition("@")[0]


@dataclass(frozen=True, slots=True)
class Report:
    """A whole copy. `source` is pinned by digest; `duration` in seconds.

    `bytes_read` are bytes of blobs from the source. `jobs` is how many blobs and manifests moved
    at once, `round_trip` the measured time that it was chosen for, in seconds. `pulls` is how many
    manifests were read from the source's registry, each of which some registries count as a pull;
    `rate_limit` is what the registry says is left, None if it says nothing. `subset` is the new
    index, if one was made of a part of the source's; then `root` is the new index, and `source`
    still names the old one.
    `referrers` is what was
    found to belong to the image, and brought along; None if it was not wanted.
    """

    source: str
    root: Descriptor
    targets: tuple[TargetReport, ...]
    duration: float
    bytes_read: int = 0
    dry_run: bool = False
    jobs: int = 1
    round_trip: float | None = None
    pulls: int = 0
    rate_limit: RateLimit | None = None
    referrers: Referrers | None = None
    subset: Subset | None = None

    def __str__(self) -> str:
        """Return a line for each target: where the image is, and how it got there."""
        return "\n".join(map(str, self.targets))

    def to_json(self) -> str:
        """Return it as the JSON document that `regimport copy --output json` prints."""
        # Imported where it is asked for: most copies need none of it.
        from regimport.engine.document import document_of  # noqa: PLC0415

        return json.dumps(document_of(self), indent=2)

    @property
    def tally(self) -> Tally:
        """The counts of all targets; several tags of one repository share theirs."""
        counts: dict[str, Tally] = {}
        for target in self.targets:
            if target.tally != Tally():
                counts[target.repository] = target.tally
        return functools.reduce(Tally.plus, counts.values(), Tally())

    @property
    def failures(self) -> tuple[RegimportError, ...]:
        """The errors of the targets that failed."""
        return _failures(self.targets)

    def raise_for_failure(self) -> None:
        """Raise the first target's error, if any target failed."""
        for error in self.failures:
            raise error

    @property
    def exit_code(self) -> int:
        """0 if every target has the image; else the code all failures share, or 1."""
        return _exit_code(self.failures)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """An image that its target was asked to import by itself; `duration` in seconds.

    `root` is None if neither the source nor the target can be read from here: then `source` and
    the `pinned` of the targets are references by tag. The rest is as in `Report`; no blob has
    passed this machine.
    """

    source: str
    root: Descriptor | None
    targets: tuple[TargetReport, ...]
    duration: float
    dry_run: bool = False
    pulls: int = 0
    rate_limit: RateLimit | None = None

    def __str__(self) -> str:
        """Return a line for each target: where the image is, and how it got there."""
        return "\n".join(map(str, self.targets))

    def to_json(self) -> str:
        """Return it as the JSON document that `regimport copy --output json` prints."""
        from regimport.engine.document import import_document  # noqa: PLC0415 - as for a copy

        return json.dumps(import_document(self), indent=2)

    @property
    def failures(self) -> tuple[RegimportError, ...]:
        """The errors of the targets that failed."""
        return _failures(self.targets)

    def raise_for_failure(self) -> None:
        """Raise the first target's error, if any target failed."""
        for error in self.failures:
            raise error

    @property
    def exit_code(self) -> int:
        """0 if every target has the image; else the code all failures share, or 1."""
        return _exit_code(self.failures)


def _failures(targets: Sequence[TargetReport]) -> tuple[RegimportError, ...]:
    return tuple(target.error for target in targets if target.error is not None)


def _exit_code(failures: Sequence[RegimportError]) -> int:
    codes = {error.exit_code for error in failures}
    if not codes:
        return 0
    return codes.pop() if len(codes) == 1 else 1


def target_reports(
    references: Sequence[AnyReference],
    targets: Sequence[TargetCopy],
    root: Descriptor,
) -> tuple[TargetReport, ...]:
    """Return the report of each target that the user named, in that order."""
    copies = {reference: copy for copy in targets for reference in copy.references}
    return tuple(_report(reference, copies[reference], root) for reference in references)


def _report(reference: AnyReference, copy: TargetCopy, root: Descriptor) -> TargetReport:
    # A dry run ends with what would be done.
    planned = copy.plan if copy.pending else None
    backup = dict(copy.backups).get(reference.tag or "")
    report = TargetReport(
        reference=str(reference.tagged(reference.tag)),
        tag=reference.tag,
        status=copy.status,
        pinned=str(reference.pinned(root.digest)),
        tally=copy.tally if planned is None else Tally.of(planned),
        error=copy.error,
        plan=copy.plan,
        confirmed=copy.status in _THERE and (reference.tag or root.digest) not in copy.unconfirmed,
        examined=copy.examined,
        backup=None if backup is None else str(reference.tagged(backup)),
    )
    if copy.verification is None:
        return report
    own = copy.verification.for_tag(reference.tag)
    error = own.failure()
    status = copy.status if error is None else Status.FAILED
    confirmed = error is None
    return replace(report, status=status, error=error, verification=own, confirmed=confirmed)
