"""What came of many copies in one run, as values: an entry for each image."""

from __future__ import annotations

import functools
import json

from regimport.engine.report import Report
from regimport.engine.tally import Tally
from regimport.engine.target import Status
from regimport.errors import RateLimited, RegimportError, UsageError
from regimport.values import dataclass

__all__ = ["ImageReport", "ManyReport"]


@dataclass(frozen=True, slots=True)
class ImageReport:
    """One image of many: its source and targets in full, and its report.

    `report` is None and `error` says why, if no target was tried.
    """

    source: str
    targets: tuple[str, ...]
    report: Report | None = None
    error: RegimportError | None = None

    def __str__(self) -> str:
        """Return a line for each target, or one that says why there are none."""
        if self.error is not None:
            return f"{self.source}: failed: {self.error.message.splitlines()[0]}"
        return str(self.report)

    @property
    def failures(self) -> tuple[RegimportError, ...]:
        """Its error, or those of the targets that failed."""
        if self.error is not None:
            return (self.error,)
        return () if self.report is None else self.report.failures

    @property
    def status(self) -> Status:
        """Failed if any target has; else planned or copied, or present if it is there already."""
        if self.failures or self.report is None:
            return Status.FAILED
        found = {target.status for target in self.report.targets}
        order = (Status.PLANNED, Status.COPIED, Status.PRESENT)
        return next(status for status in order if status in found)


@dataclass(frozen=True, slots=True)
class ManyReport:
    """The copies of many images, in the order in which they were named; `duration` in seconds."""

    images: tuple[ImageReport, ...]
    duration: float
    dry_run: bool = False

    def __str__(self) -> str:
        """Return a line for each target of each image."""
        return "\n".join(map(str, self.images))

    def to_json(self) -> str:
        """Return it as the JSON document that `regimport copy` prints for several images."""
        # Imported where it is asked for.
        from regimport.engine.document import document_of_many  # noqa: PLC0415

        return json.dumps(document_of_many(self), indent=2)

    @property
    def tally(self) -> Tally:
        """The counts of all images together."""
        tallies = [image.report.tally for image in self.images if image.report is not None]
        return functools.reduce(Tally.plus, tallies, Tally())

    @property
    def failures(self) -> tuple[RegimportError, ...]:
        """The errors of all images and targets that failed."""
        return tuple(error for image in self.images for error in image.failures)

    def raise_for_failure(self) -> None:
        """Raise the first image's error, if any image failed."""
        for error in self.failures:
            raise error

    @property
    def exit_code(self) -> int:
        """0 if every target has its image; else the first of these that is right.

        2 for wrong usage, 8 if rate limits alone stood in the way, 1 for any other failure.
        """
        failures = self.failures
        if not failures:
            return 0
        for error in failures:
            if isinstance(error, UsageError):
                return error.exit_code
        limited = all(isinstance(error, RateLimited) for error in failures)
        return RateLimited.exit_code if limited else 1
