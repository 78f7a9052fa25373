"""The tables: on a terminal, and as markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from benchmarks.cases import Case
from benchmarks.line import LineKind
from benchmarks.measure import Cost, Traffic, median
from benchmarks.targets import MEMORY, TARGETS, Measure, Target

_HEADS = (
    "line", "image", "tool", "wall s", "ratio", "x line", "CPU s", "peak MiB",
    "requests", "connections", "MB down", "MB up",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one case over one line, by the tools' names; bytes of its layers."""

    kind: LineKind
    case: Case
    size: int
    costs: Mapping[str, Sequence[Cost]]
    traffic: Mapping[str, Traffic]

    @property
    def ratio(self) -> float | None:
        """The medians of the wall times: regimport's to skopeo's."""
        if "skopeo" not in self.costs:
            return None
        return median(self.costs["regimport"]).wall / median(self.costs["skopeo"]).wall

    @property
    def own_time(self) -> float | None:
        """Seconds that the line itself needs for the layers, where that is what counts."""
        own = (
            0.0 if self.case.there or self.case.one_registry else self.kind.line.own_time(self.size)
        )
        return own if own > 1 else None


def verdict(row: Row, target: Target) -> tuple[float, bool] | None:
    """What was reached of a target and whether it is enough; None where it was not measured."""
    value = _reached(row, target.measure)
    return None if value is None else (value, value <= target.most)


def _reached(row: Row, measure: Measure) -> float | None:
    ours = median(row.costs["regimport"])
    traffic = row.traffic.get("regimport")
    if measure is Measure.RATIO:
        return row.ratio
    if measure is Measure.CPU:
        return ours.cpu
    if measure is Measure.OWN_TIME:
        return ours.wall / row.own_time if row.own_time else None
    if traffic is None:
        return None
    if measure is Measure.HEADS:
        return max(len(traffic.source), len(traffic.target))
    return sum(one.path.count("/blobs/sha256") for one in traffic.source if one.method == "GET")


def _cells(row: Row) -> Iterator[tuple[str, ...]]:
    for name, costs in row.costs.items():
        cost = median(costs)
        first = name == "regimport"
        yield (
            row.kind.name if first else "",
            row.case.name if first else "",
            name,
            f"{cost.wall:.2f}",
            f"{row.ratio:.2f}" if first and row.ratio else "",
            f"{cost.wall / row.own_time:.2f}" if row.own_time else "",
            f"{cost.cpu:.2f}",
            f"{cost.memory:.0f}",
            *_counts(row, row.traffic.get(name)),
        )


def _counts(row: Row, traffic: Traffic | None) -> tuple[str, ...]:
    if traffic is None:
        return "", "", "", ""
    sides = [traffic.source] if row.case.one_registry else [traffic.source, traffic.target]
    lines = traffic.line[: len(sides)]
    return (
        " + ".join(str(len(side)) for side in sides),
        " + ".join(str(line.connections) for line in lines),
        f"{sum(line.received for line in lines) / 1e6:.1f}",
        f"{sum(line.sent for line in lines) / 1e6:.1f}",
    )


def targets_of(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """Each target of these rows: where, what, reached, wanted, and whether it is reached."""
    for row in rows:
        for target in TARGETS:
            if (target.case, target.line) == (row.case.name, row.kind.name.removesuffix("-tls")):
                yield _judged(row, f"{target.measure}", target.most, verdict(row, target))
        memory = median(row.costs["regimport"]).memory
        yield _judged(row, "peak MiB", MEMORY, (memory, memory <= MEMORY))


def _judged(
    row: Row, measure: str, most: float, found: tuple[float, bool] | None
) -> tuple[str, ...]:
    value = "" if found is None else f"{found[0]:.2f}"
    said = "not measured" if found is None else "reached" if found[1] else "NOT REACHED"
    return row.kind.name, row.case.name, measure, value, f"<= {most:g}", said


def as_text(rows: Sequence[Row]) -> Table:
    """The table for a terminal."""
    table = Table(*_HEADS)
    for row in rows:
        for cells in _cells(row):
            table.add_row(*cells)
    return table


def as_markdown(rows: Sequence[Row]) -> str:
    """The tables for a page."""
    return "\n".join(
        [
            *_markdown(_HEADS, [cells for row in rows for cells in _cells(row)]),
            "",
            *_markdown(("line", "image", "what", "measured", "target", ""), list(targets_of(rows))),
            "",
        ]
    )


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"
