"""The tables: on a terminal, and as markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from benchmarks.results import OURS, Growth, Row, Start, Traffic, median
from benchmarks.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: what stands above its columns, and its rows."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def text(self) -> Table:
        """For a terminal."""
        table = Table(*self.heads, box=box.SIMPLE)
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """For a page."""
        lines = [self.heads, ("---",) * len(self.heads), *self.rows]
        return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def of_rows(rows: Sequence[Row]) -> Grid:
    """What the copies cost, medians, a row for each tool."""
    heads = (
        "line", "image", "tool", "wall s", "best s", "ratio", "/ line's own", "CPU s", "peak MiB",
        "requests", "connections", "MB down", "MB up",
    )  # fmt: skip
    return Grid(heads, tuple(cells for row in rows for cells in _cells(row)))


def _cells(row: Row) -> Iterator[tuple[str, ...]]:
    for name, costs in row.costs.items():
        cost = median(costs)
        ours = name == OURS
        yield (
            row.kind.name if ours else "",
            row.case.name if ours else "",
            name,
            f"{cost.wall:.2f}",
            f"{min(one.wall for one in costs):.2f}",
            f"{row.ratio:.2f}" if ours and row.ratio else "",
            f"{cost.wall / row.own_time:.2f}" if row.own_time else "",
            f"{cost.cpu:.2f}",
            f"{cost.memory:.0f}",
            *_counts(row, row.traffic.get(name)),
        )


def _counts(row: Row, traffic: Traffic | None) -> tuple[str, ...]:
    if traffic is None:
        return "", "", "", ""
    sides = [traffic.source] if row.case.one_registry else [traffic.source, traffic.target]
    return (
        " + ".join(str(len(side)) for side in sides),
        " + ".join(str(line.connections) for line in traffic.carried),
        f"{sum(line.received for line in traffic.carried) / 1e6:.1f}",
        f"{sum(line.sent for line in traffic.carried) / 1e6:.1f}",
    )


def of_starts(starts: Iterable[Start]) -> Grid:
    """What starting costs."""
    return Grid(
        ("start", "wall s", "CPU s", "peak MiB"),
        tuple(
            (
                f"regimport {' '.join(start.arguments)}",
                f"{start.cost.wall:.3f}",
                f"{start.cost.cpu:.3f}",
                f"{start.cost.memory:.0f}",
            )
            for start in starts
        ),
    )


def of_growth(measured: Iterable[Growth]) -> Grid:
    """What each of many images costs."""
    return Grid(
        ("images", "how", "ms an image", "CPU ms an image", "peak MiB"),
        tuple(
            (
                str(one.images),
                one.how,
                f"{one.cost.wall / one.images * 1000:.0f}",
                f"{one.cost.cpu / one.images * 1000:.0f}",
                f"{one.cost.memory:.0f}",
            )
            for one in measured
        ),
    )


def of_verdicts(verdicts: Iterable[Verdict]) -> Grid:
    """Each target, and whether it is reached."""
    return Grid(
        ("line", "what", "measure", "measured", "to reach", ""),
        tuple(
            (
                verdict.line,
                verdict.what,
                verdict.measure,
                "" if verdict.value is None else f"{verdict.value:.3g}",
                f"<= {verdict.most:g}",
                verdict.said,
            )
            for verdict in verdicts
        ),
    )
