"""The benchmark's command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from benchmarks.cases import CASES, Case
from benchmarks.line import LINES, LineKind
from benchmarks.tools import Tool, bare, regimport, skopeo


class Part(StrEnum):
    """What can be measured on its own."""

    COPIES = "copies"
    STARTS = "starts"
    GROWTH = "growth"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be measured; `rounds` timed runs of each tool; regimport is the first tool."""

    parts: Sequence[Part]
    cases: Sequence[Case]
    lines: Sequence[LineKind]
    rounds: int
    growth: Sequence[int]
    tools: Sequence[Tool]
    markdown: Path | None

    @property
    def ours(self) -> Tool:
        """The regimport that is measured."""
        return self.tools[0]


def parse(arguments: Sequence[str] | None = None) -> Wanted:
    """The command line as a value; ends the program where it is wrong."""
    parser = argparse.ArgumentParser(
        prog="sh tests/benchmarks/run.sh",
        description="Measures regimport beside skopeo, each run cold, between real registries.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    _add_names(parser, "--parts", [str(part) for part in Part], "what to measure")
    _add_names(parser, "--images", list(CASES), "which images to copy")
    _add_names(parser, "--lines", list(LINES), "over which lines")
    add("--rounds", type=int, default=5, help="timed runs of each tool")
    add("--growth", type=_numbers, default="1,10,100,1000", help="how many images to copy")
    add("--without-skopeo", action="store_true", help="measure regimport alone")
    add("--with-bare", action="store_true", help="measure the least that moves an image, too")
    add("--regimport", type=Path, metavar="FILE", help="another regimport than the one in .venv")
    add(
        "--option", action="append", default=[], help="option for regimport copy: --option=--jobs=4"
    )
    add("--markdown", type=Path, metavar="FILE", help="write the tables there as well")
    given = parser.parse_args(arguments)
    ours = regimport(given.regimport, *given.option)
    return Wanted(
        parts=[Part(name) for name in given.parts],
        cases=[CASES[name] for name in given.images],
        lines=[LINES[name] for name in given.lines],
        rounds=given.rounds,
        growth=given.growth,
        tools=[
            ours,
            *([] if given.without_skopeo else [skopeo()]),
            *([bare()] if given.with_bare else []),
        ],
        markdown=given.markdown,
    )


def _add_names(
    parser: argparse.ArgumentParser, flag: str, known: Sequence[str], meaning: str
) -> None:
    everything = ",".join(known)
    parser.add_argument(
        flag, type=_names_of(known), default=everything, metavar="NAME,NAME", help=meaning
    )


def _names_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    def parse_names(value: str) -> list[str]:
        names = value.split(",")
        unknown = set(names) - set(known)
        if unknown:
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)} in {', '.join(known)}")
        return names

    return parse_names


def _numbers(value: str) -> list[int]:
    return [int(number) for number in value.split(",")]
