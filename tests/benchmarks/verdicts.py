"""What was measured against what was to be reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.results import OURS, Cost, Growth, Row, Start
from benchmarks.targets import GROWTH, MEMORY, STARTS, TARGETS, Measure

# The number of images that growth is measured from: one alone is mostly the start.
_FROM = 10


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target, and what was measured of it: None if it was not."""

    line: str
    what: str
    measure: Measure
    value: float | None
    most: float

    @property
    def said(self) -> str:
        """Whether the target is reached."""
        if self.value is None:
            return "not measured"
        return "reached" if self.value <= self.most else "NOT REACHED"


def of_rows(rows: Sequence[Row], hashing: Cost | None) -> Iterator[Verdict]:
    """The targets of copies; `hashing` is what hashing the bytes of `big` costs."""
    for row in rows:
        line = row.kind.name
        for target in TARGETS:
            if (target.case, target.line) == (row.case.name, line.removesuffix("-tls")):
                value = _measured(row, target.measure, hashing)
                yield Verdict(line, row.case.name, target.measure, value, target.most)
        yield Verdict(line, row.case.name, Measure.MEMORY, row.ours.memory, MEMORY)


def _measured(row: Row, measure: Measure, hashing: Cost | None) -> float | None:
    traffic = row.traffic.get(OURS)
    requests = max(len(traffic.source), len(traffic.target)) if traffic else None
    return {
        Measure.RATIO: row.ratio,
        Measure.OWN_TIME: row.ours.wall / row.own_time if row.own_time else None,
        Measure.CPU: row.ours.cpu,
        Measure.REQUESTS: requests,
        Measure.BLOBS: traffic.blobs_read if traffic else None,
        Measure.HASHING: row.ours.cpu / hashing.cpu if hashing else None,
    }[measure]


def of_starts(starts: Sequence[Start]) -> Iterator[Verdict]:
    """The targets of start-up."""
    for start in starts:
        what = " ".join(start.arguments)
        yield Verdict("", what, Measure.WALL, start.cost.wall, STARTS[start.arguments])


def of_growth(measured: Sequence[Growth]) -> Iterator[Verdict]:
    """The targets of many images, each way of copying on its own."""
    first = {one.how: one for one in measured if one.images == _FROM}
    for one in measured:
        base = first.get(one.how)
        if base is None or one.images <= _FROM:
            continue
        what = f"{one.images} images, {one.how}"
        time = (one.cost.wall / one.images) / (base.cost.wall / base.images)
        yield Verdict("", what, Measure.TIME_GROWTH, time, GROWTH)
        yield Verdict("", what, Measure.MEMORY_GROWTH, one.cost.memory / base.cost.memory, GROWTH)
        yield Verdict("", what, Measure.MEMORY, one.cost.memory, MEMORY)
