"""What was measured against what was to be reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.results import OURS, Cost, Growth, Row, Start
from benchmarks.targets import GROWTH, MEMORY, STARTS, TARGETS, Measure


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
    """The targets of many images, each way of copying on its own.

    What an image costs is taken from the difference to the number before, so that the start and
    the first image, which brings what all share, do not hide it.
    """
    for how in dict.fromkeys(one.how for one in measured):
        series = [one for one in measured if one.how == how]
        for few, some, many in zip(series, series[1:], series[2:], strict=False):
            what = f"{many.images} images, {how}"
            for measure, value in (
                (Measure.TIME_GROWTH, _each(some, many).wall / _each(few, some).wall),
                (Measure.CPU_GROWTH, _each(some, many).cpu / _each(few, some).cpu),
                (Measure.MEMORY_GROWTH, many.cost.memory / series[0].cost.memory),
            ):
                yield Verdict("", what, measure, value, GROWTH)
            yield Verdict("", what, Measure.MEMORY, many.cost.memory, MEMORY)


def _each(few: Growth, many: Growth) -> Cost:
    """What each image more has cost; the memory is not a difference."""
    images = many.images - few.images
    return Cost(
        (many.cost.wall - few.cost.wall) / images,
        (many.cost.cpu - few.cost.cpu) / images,
        many.cost.memory,
    )
