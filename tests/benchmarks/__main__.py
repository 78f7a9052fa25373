"""Measures regimport, beside skopeo and alone: `sh tests/benchmarks/run.sh --help`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from benchmarks import table, verdicts
from benchmarks.alone import measure_hashing, measure_starts
from benchmarks.growth import measure_growth
from benchmarks.images import IMAGES, push
from benchmarks.line import LineKind
from benchmarks.machine import described
from benchmarks.measure import Bench, Runner
from benchmarks.registries import make_tls, registry_over, workspace
from benchmarks.results import Cost, Growth, Row, Start
from benchmarks.wanted import Part, Wanted, parse


def measure_copies(wanted: Wanted, kind: LineKind, folder: Path) -> Iterator[Row]:
    """All cases over one line."""
    with ExitStack() as stack:
        tls = make_tls(folder) if kind.tls else None
        root = folder / "source"
        root.mkdir()
        source = stack.enter_context(registry_over(root, tls))
        telling = stack.enter_context(registry_over(root, tls, tells=True))
        bench = Bench(folder, kind.line, source, telling, tls)
        images = {case.image: IMAGES[case.image]() for case in wanted.cases}
        digests = {name: push(source, image, name) for name, image in images.items()}
        for case in wanted.cases:
            image = images[case.image]
            runner = Runner(bench, case, image, digests[case.image])
            tools = [tool for tool in wanted.tools if case.moves or not tool.naive]
            # The counted run is also what warms the machine up: bytecode, and the file cache.
            traffic = {tool.name: runner.counted(tool) for tool in tools}
            costs: dict[str, list[Cost]] = {tool.name: [] for tool in tools}
            for _ in range(wanted.rounds):
                for tool in tools:
                    costs[tool.name].append(runner.timed(tool))
            yield Row(kind, case, image.size, costs, traffic)


def main() -> None:
    """Measure, show, and write."""
    wanted = parse()
    console = Console(width=140, highlight=False)
    machine = described(wanted.tools)
    console.print(machine)
    rows: list[Row] = []
    starts: list[Start] = []
    growth: list[Growth] = []
    hashing: Cost | None = None
    for kind in wanted.lines if Part.COPIES in wanted.parts else ():
        with workspace() as folder:
            for row in measure_copies(wanted, kind, folder):
                console.print(table.of_rows([row]).text())
                rows.append(row)
    with workspace() as folder:
        if any(row.case.image == "big" for row in rows):
            hashing = measure_hashing(folder, wanted.rounds)
        if Part.STARTS in wanted.parts:
            starts = measure_starts(wanted.ours, folder, 4 * wanted.rounds)
        if Part.GROWTH in wanted.parts:
            growth = list(measure_growth(wanted.ours, folder, wanted.growth))
    judged = [
        *verdicts.of_rows(rows, hashing),
        *verdicts.of_starts(starts),
        *verdicts.of_growth(growth),
    ]
    grids = [
        grid
        for grid in (
            table.of_rows(rows),
            table.of_starts(starts),
            table.of_growth(growth),
            table.of_verdicts(judged),
        )
        if grid.rows
    ]
    for grid in grids:
        console.print(grid.text())
    if wanted.markdown:
        wanted.markdown.write_text("\n".join([f"{machine}\n", *(g.markdown() for g in grids)]))


if __name__ == "__main__":
    main()
