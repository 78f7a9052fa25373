"""Measures regimport beside skopeo: `sh tests/benchmarks/run.sh --help`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.cases import CASES, Case
from benchmarks.images import IMAGES, push
from benchmarks.line import LINES, LineKind
from benchmarks.measure import Bench, Cost, Runner, Traffic
from benchmarks.registries import fresh_registry, make_tls, workspace
from benchmarks.table import Row, as_markdown, as_text
from benchmarks.tools import Tool, regimport, skopeo


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for."""

    cases: Sequence[Case]
    lines: Sequence[LineKind]
    rounds: int
    tools: Sequence[Tool]
    counted: bool
    markdown: Path | None


def _names(known: Sequence[str]) -> Callable[[str], list[str]]:
    def parse(value: str) -> list[str]:
        names = value.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(known)}")
        return names

    return parse


def parse(arguments: Sequence[str] | None = None) -> Asked:
    """The command line as a value."""
    parser = argparse.ArgumentParser(
        prog="tests/benchmarks/run.sh", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--images", type=_names(list(CASES)), default=list(CASES), metavar="A,B")
    parser.add_argument("--lines", type=_names(list(LINES)), default=list(LINES), metavar="A,B")
    parser.add_argument("--rounds", type=int, default=5, help="timed runs of each tool (5)")
    parser.add_argument("--without-skopeo", action="store_true", help="measure regimport alone")
    parser.add_argument("--no-counts", action="store_true", help="leave the counted runs out")
    parser.add_argument("--regimport", type=Path, metavar="FILE", help="another regimport command")
    parser.add_argument("--option", action="append", default=[], help="for regimport, as --jobs=4")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there too")
    given = parser.parse_args(arguments)
    ours = regimport(given.regimport, *given.option)
    return Asked(
        cases=[CASES[name] for name in given.images],
        lines=[LINES[name] for name in given.lines],
        rounds=given.rounds,
        tools=[ours] if given.without_skopeo else [ours, skopeo()],
        counted=not given.no_counts,
        markdown=given.markdown,
    )


def measure(asked: Asked, kind: LineKind, folder: Path, console: Console) -> list[Row]:
    """All cases over one line."""
    rows = []
    with ExitStack() as stack:
        tls = make_tls(folder) if kind.tls else None
        source = stack.enter_context(fresh_registry(folder, tls))
        bench = Bench(folder, kind.line, source, tls)
        pushed: set[str] = set()
        for case in asked.cases:
            image = IMAGES[case.image]()
            if image.name not in pushed:
                push(source, image)
                pushed.add(image.name)
            runner = Runner(bench, case, image)
            # The counted run is also what warms the machine up: bytecode, and the file cache.
            traffic: dict[str, Traffic] = {
                tool.name: runner.counted(tool) for tool in asked.tools if asked.counted
            }
            costs: dict[str, list[Cost]] = {tool.name: [] for tool in asked.tools}
            for _ in range(asked.rounds):
                for tool in asked.tools:
                    costs[tool.name].append(runner.timed(tool))
            row = Row(kind, case, image.size, costs, traffic)
            console.print(as_text([row]))
            rows.append(row)
    return rows


def main() -> None:
    """Measure, show, and write."""
    asked = parse()
    console = Console(width=140)
    rows: list[Row] = []
    for kind in asked.lines:
        with workspace() as folder:
            rows += measure(asked, kind, folder, console)
    console.print(as_text(rows))
    text = as_markdown(rows)
    console.print(text, soft_wrap=True, markup=False, highlight=False)
    if asked.markdown:
        asked.markdown.write_text(text)


if __name__ == "__main__":
    main()
