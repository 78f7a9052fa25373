"""One cold run of one tool, and what it cost."""

from __future__ import annotations

import itertools
import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import Case
from benchmarks.images import TAG, Image, push
from benchmarks.line import Line
from benchmarks.proxy import Carried, Proxy, through
from benchmarks.registries import Tls, fresh_registry
from benchmarks.tools import Job, Tool, cold_environment
from support.registries import Asked, DockerRegistry

_LAUNCH = Path(__file__).with_name("launch.py")
_numbers = itertools.count()


class RunFailed(Exception):
    """A tool did not copy; the message has the end of what it printed."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds on the clock, seconds of CPU, and peak MiB of a process."""

    wall: float
    cpu: float
    memory: float


@dataclass(frozen=True, slots=True)
class Traffic:
    """The requests at each side, and what went through the line."""

    source: tuple[Asked, ...]
    target: tuple[Asked, ...]
    line: tuple[Carried, ...]


@dataclass(frozen=True, slots=True)
class Bench:
    """What all runs over one line share: a registry that has the images."""

    folder: Path
    line: Line
    source: DockerRegistry
    tls: Tls | None


def launch(command: Sequence[str], home: Path, environment: dict[str, str]) -> Cost:
    """Run a command to its end; `RunFailed` if it fails."""
    log = home / "log"
    launcher = [sys.executable, "-I", "-S", str(_LAUNCH), str(log), *command]
    done = subprocess.run(launcher, env=environment, stdout=subprocess.PIPE, check=True)
    cost = json.loads(done.stdout)
    if cost.pop("code"):
        raise RunFailed(f"{' '.join(command)}\n{log.read_text()[-2000:]}")
    return Cost(**cost)


@contextmanager
def cold_home(folder: Path) -> Iterator[Path]:
    """An empty home."""
    home = folder / f"home{next(_numbers)}"
    (home / "run").mkdir(parents=True)
    try:
        yield home
    finally:
        shutil.rmtree(home)


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each number on its own."""
    return Cost(
        statistics.median(cost.wall for cost in costs),
        statistics.median(cost.cpu for cost in costs),
        statistics.median(cost.memory for cost in costs),
    )


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs one case, each time in a target repository of its own."""

    bench: Bench
    case: Case
    image: Image

    def timed(self, tool: Tool) -> Cost:
        """One run over the line."""
        return self._run(tool, counted=False)[0]

    def counted(self, tool: Tool) -> Traffic:
        """One run that is only counted: through a line without delay, to see the bytes."""
        return self._run(tool, counted=True)[1]

    def _run(self, tool: Tool, *, counted: bool) -> tuple[Cost, Traffic]:
        bench = self.bench
        with ExitStack() as stack:
            target = bench.source
            if not self.case.one_registry:
                target = stack.enter_context(fresh_registry(bench.folder, bench.tls))
            repository = f"{self.image.name}-{next(_numbers)}"
            if self.case.there:
                push(target, self.image, repository)
            bench.source.clear()
            target.clear()
            line: Line | None = bench.line
            if counted:
                line = Line(delay=0, rate=None)
            elif not bench.line.slows:
                line = None
            proxy: Proxy | None = None
            source_address, target_address = bench.source.address, target.address
            if line is not None:
                proxy = stack.enter_context(through(line, [source_address, target_address]))
                source_address, target_address = proxy.addresses
            if self.case.one_registry:
                target_address = source_address
            job = Job(
                source=f"{source_address}/{self.image.name}:{TAG}",
                target=f"{target_address}/{repository}:{TAG}",
                tls=bench.tls is not None,
            )
            home = stack.enter_context(cold_home(bench.folder))
            authority = bench.tls.authority if bench.tls else None
            cost = launch(tool.command(job), home, cold_environment(home, authority))
            carried = tuple(proxy.close()) if proxy else ()
            asked = tuple(bench.source.requests())
            at_target = asked if self.case.one_registry else tuple(target.requests())
            return cost, Traffic(asked, at_target, carried)
