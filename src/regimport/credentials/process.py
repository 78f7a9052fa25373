"""Run another program for a short answer, with a limit for its time and size."""

from __future__ import annotations

import errno
import os
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import IO

from regimport.errors import Interrupted
from regimport.interrupts import INTERRUPTS, Registration

__all__ = ["run"]

_MOST_BYTES = 64 * 1024
# How long a program that was killed may take to be gone, in seconds.
_KILL_SECONDS = 0.4
# How often to check whether to stop while a program is silent, in seconds.
_POLL = 0.2


def run(
    command: Sequence[str],
    text: bytes,
    environ: Mapping[str, str],
    seconds: float,
    stop: threading.Event,
) -> tuple[int, bytes]:
    """Run a command of the PATH with no shell, and return its exit code and its output.

    Raise `FileNotFoundError` if it is not there, `OSError` if it cannot be run, `TimeoutError` or
    `OverflowError` (more than 64 KiB) after it was killed with all processes that it started, and
    `Interrupted` if the program is interrupted meanwhile.
    """
    name, *arguments = command
    path = shutil.which(name, path=environ.get("PATH", os.defpath))
    if path is None:
        raise FileNotFoundError(name)
    try:
        process, registration = _start([path, *arguments], environ)
    except FileNotFoundError as error:
        raise OSError(errno.ENOEXEC, "its interpreter is not there") from error
    with registration, process:
        assert process.stdin is not None
        assert process.stdout is not None
        deadline = time.monotonic() + seconds
        try:
            # The text fits into the pipe; a program that does not read it is fine.
            with suppress(BrokenPipeError), process.stdin as file:
                file.write(text)
            answer = _read(process.stdout, deadline, stop)
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _kill(process)
            raise TimeoutError from None
        except BaseException:
            _kill(process)
            raise
    if INTERRUPTS.interrupted:
        raise Interrupted  # it was killed: what it answered means nothing
    return code, answer


def _start(
    command: Sequence[str], environ: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], Registration]:
    """Start a program, registered to be killed when this one ends."""
    with INTERRUPTS.starting:
        process = subprocess.Popen(  # noqa: S603 - the caller has checked the name, and no shell reads it
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            process_group=0,
        )
        return process, INTERRUPTS.process(partial(_kill, process))


def _read(file: IO[bytes], deadline: float, stop: threading.Event) -> bytes:
    pieces: list[bytes] = []
    with selectors.DefaultSelector() as selector:
        selector.register(file, selectors.EVENT_READ)
        while time.monotonic() < deadline and not stop.is_set():
            if not selector.select(min(_POLL, deadline - time.monotonic())):
                continue
            piece = os.read(file.fileno(), _MOST_BYTES)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
            if sum(map(len, pieces)) > _MOST_BYTES:
                raise OverflowError
    raise TimeoutError


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a program with all that it started, and wait until it is gone."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_KILL_SECONDS)
