"""What needs no registry: how long regimport takes to start, and what hashing costs."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.images import GIB, MIB
from benchmarks.measure import cold_home, launch
from benchmarks.results import Cost, Start, median
from benchmarks.targets import STARTS
from benchmarks.tools import Tool, cold_environment

# A piece of the size in which regimport reads, as often as it takes.
_HASH = f"""
import hashlib
piece, hasher = bytes({MIB}), hashlib.sha256()
for _ in range({GIB // MIB}):
    hasher.update(piece)
hasher.digest()
"""


def measure_starts(tool: Tool, folder: Path, rounds: int) -> list[Start]:
    """The medians of a few starts, after one that is not counted."""
    starts = []
    for arguments in STARTS:
        command = [tool.program, *arguments]
        starts.append(Start(arguments, _median(command, folder, rounds)))
    return starts


def measure_hashing(folder: Path, rounds: int) -> Cost:
    """What a process costs that hashes as many bytes as `big` has, and does nothing else."""
    return _median([sys.executable, "-I", "-S", "-c", _HASH], folder, rounds)


def _median(command: list[str], folder: Path, rounds: int) -> Cost:
    with cold_home(folder) as home:
        environment = cold_environment(home, None)
        costs = [launch(command, home, environment) for _ in range(rounds + 1)]
    return median(costs[1:])
