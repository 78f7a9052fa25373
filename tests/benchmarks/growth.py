"""Whether an image of many costs what one of few costs: regimport alone, on loopback."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.images import family, push
from benchmarks.measure import cold_home, launch
from benchmarks.registries import Registry, fresh_registry
from benchmarks.results import Cost, Growth
from benchmarks.tools import MODULES, Job, Tool, cold_environment

_REPOSITORY = "family"
# A command for each of a thousand images would measure the start a thousand times.
_MOST_COMMANDS = 100


def measure_growth(tool: Tool, folder: Path, numbers: Sequence[int]) -> Iterator[Growth]:
    """Copy so many images that share a layer, each number into an empty registry."""
    with fresh_registry(folder, None) as source:
        for number in range(max(numbers)):
            push(source, family(number), _REPOSITORY, str(number))
        # Not counted: what warms the machine up.
        _from_one_process(folder, source, 1)
        for number in numbers:
            yield Growth("Python API", number, _from_one_process(folder, source, number))
            if number <= _MOST_COMMANDS:
                yield Growth("command", number, _by_commands(tool, folder, source, number))


def _from_one_process(folder: Path, source: Registry, number: int) -> Cost:
    with fresh_registry(folder, None) as target, cold_home(folder) as home:
        ends = [f"{registry.address}/{_REPOSITORY}" for registry in (source, target)]
        command = [sys.executable, "-m", "benchmarks.growing", *ends, str(number)]
        environment = cold_environment(home, None) | {"PYTHONPATH": MODULES}
        return launch(command, home, environment)


def _by_commands(tool: Tool, folder: Path, source: Registry, number: int) -> Cost:
    with fresh_registry(folder, None) as target, cold_home(folder) as home:
        costs = [
            launch(
                tool.command(
                    Job(
                        source=f"{source.address}/{_REPOSITORY}:{tag}",
                        target=f"{target.address}/{_REPOSITORY}:{tag}",
                        tls=False,
                    )
                ),
                home,
                cold_environment(home, None),
            )
            for tag in range(number)
        ]
    return Cost(
        sum(cost.wall for cost in costs),
        sum(cost.cpu for cost in costs),
        max(cost.memory for cost in costs),
    )
