"""One cold run of one tool, and what it cost."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import Case
from benchmarks.images import TAG, Image, digest_at, push
from benchmarks.line import NO_LINE, Line
from benchmarks.proxy import Proxy, through
from benchmarks.registries import ELSEWHERE, Registry, Tls, fresh_registry
from benchmarks.results import Cost, Traffic
from benchmarks.tools import Job, Tool, cold_environment

_LAUNCH = Path(__file__).with_name("launch.py")
_numbers = itertools.count()


class RunFailed(Exception):
    """A tool did not copy the image; the message has the end of what it printed, if it failed."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What all runs over one line share: registries that have the images."""

    folder: Path
    line: Line
    source: Registry
    #: Another over the same storage, which tells its requests.
    telling: Registry
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


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs one case, each time in a target repository of its own."""

    bench: Bench
    case: Case
    image: Image
    digest: str

    def timed(self, tool: Tool) -> Cost:
        """One run over the line."""
        return self._run(tool, counted=False)[0]

    def counted(self, tool: Tool) -> Traffic:
        """One run that is only counted: through a line without delay, to see the bytes."""
        return self._run(tool, counted=True)[1]

    def _run(self, tool: Tool, *, counted: bool) -> tuple[Cost, Traffic]:
        bench, line = self.bench, NO_LINE if counted else self.bench.line
        source = target = bench.telling if counted else bench.source
        with ExitStack() as stack:
            if not self.case.one_registry:
                fresh = fresh_registry(bench.folder, bench.tls, tells=counted)
                target = stack.enter_context(fresh)
            repository = f"{self.image.name}-{next(_numbers)}"
            if self.case.there:
                push(target, self.image, repository)
            registries = list(dict.fromkeys([source.address, target.address]))
            # Loopback itself is measured without anything between.
            proxy: Proxy | None = None
            addresses = registries
            if counted or line.slows:
                proxy = stack.enter_context(through(line, registries))
                addresses = proxy.addresses
            if bench.tls:
                addresses = [address.replace("127.0.0.1", ELSEWHERE) for address in addresses]
            job = Job(
                source=f"{addresses[0]}/{self.image.name}:{TAG}",
                target=f"{addresses[-1]}/{repository}:{TAG}",
                tls=bench.tls is not None,
            )
            home = stack.enter_context(cold_home(bench.folder))
            authority = bench.tls.authority if bench.tls else None
            for registry in (source, target):
                registry.requests()
            cost = launch(tool.command(job), home, cold_environment(home, authority))
            carried = tuple(proxy.close()) if proxy else ()
            asked = source.requests()
            traffic = Traffic(asked, asked if target is source else target.requests(), carried)
            if digest_at(target, repository) != self.digest:
                raise RunFailed(f"{tool.name} made another image of {self.image.name}")
            return cost, traffic
