"""Interrupts a command at a random moment, once or twice, and checks how it ends."""

from __future__ import annotations

import itertools
import random
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from soak.commands import LASTING, SHORT, Case, Started, World, start

# A lasting command is interrupted within so many seconds of its start: while it loads, and later.
_SPAN = 0.9
_LONGEST = 2.0
_SECOND = 0.4
_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
# A line that says how it ended, and one that says what went wrong before that.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ENDED = re.compile(
    r"^(error: )?(interrupted|terminated)(; what is finished stays at the target)?$"
)
_BLAME = re.compile(r"^(warning|error):|Traceback|Exception|^  (hint|at the)")


class BrokenPromise(AssertionError):
    """What must never happen; says how to see it again."""


@dataclass(frozen=True)
class Interrupted:
    """How a command ended; `code` is None where it was done before the signal came."""

    title: str
    code: int | None
    seconds: float


def cases(count: int) -> Sequence[Case]:
    """Return `count` commands, all of them in turn."""
    return list(itertools.islice(itertools.cycle([*LASTING, *SHORT]), count))


def interrupt(wanted: Case, where: World, seed: str) -> Interrupted:
    """Interrupt a command as the seed says; try again if it was done before the signal came."""
    lot = random.Random(seed)
    numbers = itertools.count()
    while True:
        name = re.sub(r"\W", "-", f"{seed}-{next(numbers)}")
        span = _SPAN if wanted in LASTING else 0.9 ** int(name.rpartition("-")[2]) * _SPAN
        started = start(wanted, where, name)
        try:
            ended = _interrupted(wanted, started, lot, span, seed)
        finally:
            started.close()
        if ended.code is not None:
            return ended


def _interrupted(
    wanted: Case, started: Started, lot: random.Random, span: float, seed: str
) -> Interrupted:
    process = started.process
    numbers = lot.choices(list(_CODES), k=lot.choice((1, 2)))
    gap = lot.choice((0.0, lot.uniform(0, _SECOND)))
    if not _wait_for_handler(process):
        return Interrupted(wanted.title, None, 0.0)
    moment = lot.uniform(0, span)
    if _ended_within(process, moment):
        return Interrupted(wanted.title, None, 0.0)
    at = time.monotonic()
    process.send_signal(numbers[0])
    if len(numbers) > 1 and not _ended_within(process, gap):
        process.send_signal(numbers[1])
    late = not _ended_within(process, 20)
    took = time.monotonic() - at
    # Of two that come together, the system may deliver either first.
    first = numbers if gap < 0.05 else numbers[:1]
    complaint = _complaint(wanted, started, took, {_CODES[number] for number in first})
    if complaint or late:
        how = f"{[number.name for number in numbers]} {moment:.3f} s after its start, {gap:.3f}"
        said = (started.folder / "err").read_text()
        raise BrokenPromise(f"seed {seed}: {wanted.title}: {complaint or 'hangs'}; {how}\n{said}")
    code = process.returncode
    return Interrupted(wanted.title, code or None, took)


def _complaint(wanted: Case, started: Started, took: float, codes: set[int]) -> str | None:
    """Return what is wrong with the end of a command."""
    code = started.process.returncode
    if took > _LONGEST:
        return f"took {took:.2f} s"
    if any(Path(f"/proc/{number}").exists() for number in started.helpers()):
        return "left a credential helper behind"
    if code == 0:  # done just before the signal: the result must be there
        out = started.folder / "out"
        done = out.exists() and out.stat().st_size > 0
        return None if done or wanted.arguments.startswith("config") else "ended with 0, undone"
    if code not in codes:
        return f"ended with {code}, not one of {codes}"
    return _complaint_of_lines((started.folder / "err").read_text())


def _complaint_of_lines(text: str) -> str | None:
    # What the live display draws, and takes back, stands before the line.
    lines = re.split(r"[\r\n]+|Password: ", _CONTROL.sub("", text))
    said = [line for line in lines if _ENDED.match(line)]
    if len(said) != 1:
        return f"said {len(said)} times that it was interrupted"
    others = [line for line in lines if _BLAME.search(line) and line not in said]
    return f"said {others}" if others else None


def _ended_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _wait_for_handler(process: subprocess.Popen[bytes]) -> bool:
    """Wait until the program takes care of SIGTERM; False if it ends before that is seen.

    Until then Python starts up, which no program of its own can change.
    """
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        caught = re.search(r"^SigCgt:\s*([0-9a-f]+)$", status.read_text(), re.MULTILINE)
        if caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1:
            return True
        time.sleep(0.0005)
    return False
