"""What was measured, as values."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.cases import Case
from benchmarks.line import LineKind
from benchmarks.proxy import Carried
from support.registries import Asked

OURS, THEIRS = "regimport", "skopeo"


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds on the clock, seconds of CPU, and peak MiB of a process."""

    wall: float
    cpu: float
    memory: float


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each number on its own."""
    return Cost(
        statistics.median(cost.wall for cost in costs),
        statistics.median(cost.cpu for cost in costs),
        statistics.median(cost.memory for cost in costs),
    )


@dataclass(frozen=True, slots=True)
class Traffic:
    """The requests at each side, and what went through the line to and from each."""

    source: tuple[Asked, ...]
    target: tuple[Asked, ...]
    carried: tuple[Carried, ...]

    @property
    def blobs_read(self) -> int:
        """How many times the source was asked for a blob's bytes."""
        return sum(one.method == "GET" and "/blobs/" in one.path for one in self.source)


@dataclass(frozen=True, slots=True)
class Row:
    """One case over one line: costs and traffic by the tools' names; bytes of its layers."""

    kind: LineKind
    case: Case
    size: int
    costs: Mapping[str, Sequence[Cost]]
    traffic: Mapping[str, Traffic]

    @property
    def ours(self) -> Cost:
        """The medians of regimport."""
        return median(self.costs[OURS])

    @property
    def ratio(self) -> float | None:
        """The medians of the wall times: regimport's to skopeo's."""
        return self.ours.wall / median(self.costs[THEIRS]).wall if THEIRS in self.costs else None

    @property
    def own_time(self) -> float | None:
        """Seconds that the line itself needs for the layers, where that is what counts."""
        own = self.kind.line.own_time(self.size) if self.case.moves else 0.0
        return own if own > 1 else None


@dataclass(frozen=True, slots=True)
class Start:
    """What it costs to start regimport with these arguments."""

    arguments: tuple[str, ...]
    cost: Cost


@dataclass(frozen=True, slots=True)
class Growth:
    """A number of images copied one after the other, by a command each or from one process.

    `cost` is that of all of them, its memory that of the process that needed most.
    """

    how: str
    images: int
    cost: Cost
