"""Commands against registries, mirrors and token services whose every answer may be an attack.

Each command must end in time, with an error of its own or with success: never with a defect of the
program, never with more memory or open files than it may have.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from soak.answers import Answers
from support.raw import sending

# What the promise says: memory of the process in MiB, and files more than it has at rest (a start
# has up to 12 open). The time is what the options below allow, with a machine that has much to do.
MOST_MEBIBYTES = 400
MOST_FILES = 64 + 12
MOST_SECONDS = 90.0
_DEFECT = re.compile(r"bug in regimport|Traceback|itself went wrong")
_LOOKS = 0.02
_TIMES = ("--deadline", "20s")
_COPY_TIMES = (*_TIMES, "--idle-timeout", "3s", "--connect-timeout", "3s", "--max-wait", "2s")


class BrokenPromise(Exception):
    """What a command did that it must not; its text has the seed."""


@dataclass(frozen=True)
class Ended:
    """A command as it ended, and the most that it took."""

    code: int
    err: str
    seconds: float
    mebibytes: float
    files: int


def attack(seed: str, folder: Path) -> Ended:
    """Run one command against hostile ends; the same seed makes the same attack."""
    lot = random.Random(seed)
    with ExitStack() as stack:
        ends = [
            stack.enter_context(_end(f"{seed}/{n}", lot.choice((0.02, 0.1, 0.5)))) for n in range(3)
        ]
        config = folder / "config.toml"
        config.write_text(
            f'[registry."{ends[0]}"]\nmirrors = ["http://{ends[2]}"]\n'
            if lot.random() < 0.4
            else ""
        )
        ended = _watched(_command(lot, ends, folder), folder, config)
    _check(ended, seed)
    return ended


def soak(seconds: float, seed: str, folder: Path) -> tuple[Counter[int], list[str], Ended | None]:
    """Attack until the time is over; return the exit codes, what was broken, and the largest."""
    codes: Counter[int] = Counter()
    broken: list[str] = []
    largest: Ended | None = None
    until = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until:
        try:
            ended = attack(f"{seed}/{number}", folder)
        except BrokenPromise as error:
            broken.append(str(error))
            sys.stdout.write(f"BROKEN {error}\n")
            sys.stdout.flush()
        else:
            codes[ended.code] += 1
            if largest is None or ended.mebibytes > largest.mebibytes:
                largest = ended
        number += 1
    return codes, broken, largest


@contextmanager
def _end(seed: str, chance: float) -> Iterator[str]:
    """Run a registry of which so many answers are attacks; yield its address."""
    answers = Answers(seed, chance)

    def sender(method: str, path: str) -> Iterable[bytes]:
        return answers.answer(method, path)

    with sending(sender) as answers.address:
        yield answers.address


def _command(lot: random.Random, ends: list[str], folder: Path) -> list[str]:
    source, target = f"{ends[0]}/app", f"{ends[1]}/app:{lot.randrange(9)}"
    jobs = ("-j", str(lot.choice((1, 4, 32))))
    return lot.choice(
        [
            ["copy", *_COPY_TIMES, *jobs, source, target],
            ["copy", *_COPY_TIMES, *jobs, "--verify", source, target],
            ["copy", *_COPY_TIMES, "-n", "-o", "json", source, target],
            ["copy", *_COPY_TIMES, "--max-manifests", "none", source, target],
            ["copy", *_COPY_TIMES, source, f"oci:{folder}/layout{lot.randrange(5)}:1"],
            ["copy", *_COPY_TIMES, "--dry-run", "--platform", "linux/amd64", source, target],
            ["verify", *_COPY_TIMES, source, target],
            ["inspect", *_TIMES, "--layers", source],
            ["inspect", *_TIMES, "-o", "json", source],
            ["inspect", *_TIMES, "--raw", source],
            ["tags", *_TIMES, source],
            ["tags", *_TIMES, "-o", "json", source],
            ["repositories", *_TIMES, ends[0]],
            ["digest", *_TIMES, source],
        ]
    )


def _watched(command: list[str], folder: Path, config: Path) -> Ended:
    """Run a command, and look at its memory and files until it ends; kill it if it hangs."""
    environ = os.environ | {"REGIMPORT_CONFIG": str(config), "HOME": str(folder)}
    started = time.monotonic()
    err = folder / "err.txt"
    with err.open("wb") as to_err:
        process = subprocess.Popen(
            [sys.executable, "-m", "regimport", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=to_err,
            env=environ,
        )
        memory, files = 0.0, 0
        ended = threading.Event()
        while process.poll() is None:
            memory, files = max(memory, _memory(process.pid)), max(files, _files(process.pid))
            if time.monotonic() - started > MOST_SECONDS:
                process.kill()
            ended.wait(_LOOKS)
    text = err.read_text(errors="replace")[-3000:]
    return Ended(process.returncode, text, time.monotonic() - started, memory, files)


def _memory(pid: int) -> float:
    """The most memory that a process had so far, in MiB; 0 once it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def _files(pid: int) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0


def _check(ended: Ended, seed: str) -> None:
    if ended.seconds > MOST_SECONDS:
        raise BrokenPromise(f"{seed}: it hung: {ended}")
    if _DEFECT.search(ended.err) or ended.code < 0:
        raise BrokenPromise(f"{seed}: a defect: {ended}")
    if ended.mebibytes > MOST_MEBIBYTES:
        raise BrokenPromise(f"{seed}: too much memory: {ended}")
    if ended.files > MOST_FILES:
        raise BrokenPromise(f"{seed}: too many files: {ended}")
