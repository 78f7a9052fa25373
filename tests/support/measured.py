"""The real command as a process whose memory and time are measured."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_MIB = 1024.0
# What `wait4` says of a child includes the memory of who started it; this is of the program alone.
_RUN = """
import os, re, runpy, sys
note, end = sys.argv.pop(1), os._exit
def ending(code):
    with open("/proc/self/status") as status, open(note, "w") as file:
        file.write(re.search(r"VmHWM:\\s+(\\d+) kB", status.read())[1])
    end(code)
os._exit = ending
try:
    runpy.run_module("regimport", run_name="__main__", alter_sys=True)
except SystemExit as error:
    ending(error.code or 0)
"""


@dataclass(frozen=True)
class Measured:
    """A process that has ended; `mebibytes` is the most memory that it had."""

    code: int
    out: str
    err: str
    mebibytes: float
    seconds: float


def measured(folder: Path, *arguments: str, seconds: float = 100) -> Measured:
    """Run the command in a folder; it is killed, with an error, after `seconds`."""
    note = folder / "memory.txt"
    note.unlink(missing_ok=True)
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(note), *arguments],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    took = time.monotonic() - started
    most = int(note.read_text()) / _MIB
    return Measured(done.returncode, done.stdout[-5000:], done.stderr[-5000:], most, took)
