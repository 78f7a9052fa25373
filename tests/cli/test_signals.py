"""How the program ends at a signal, wherever it strikes."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import regimport
from soak.commands import World, world
from soak.interrupts import cases, interrupt
from support.images import single
from support.program import Program
from support.shaky import Shaky, Ways, shaky

_RUN = [sys.executable, "-m", "regimport"]
_SIZE = 3_000_000
# What takes longer to load than all that is loaded before the handlers are in place.
_HEAVY = {"typing", "re", "contextlib", "threading", "subprocess", "typer", "rich"}


@pytest.fixture(scope="module")
def slow_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture
def stalling() -> Iterator[tuple[Shaky, Shaky]]:
    """A source, and a target that takes half a layer and then nothing more."""
    with shaky() as source, shaky(Ways(stall_uploads=_SIZE // 2)) as target:
        source.keep(single(size=_SIZE), "1")
        yield source, target


@pytest.mark.parametrize("number", range(60))
def test_every_command_ends_soon_and_says_one_line_whenever_it_is_interrupted(
    slow_world: World, number: int
) -> None:
    interrupt(cases(60)[number], slow_world, f"sixty/{number}")


def test_the_handlers_are_in_place_before_anything_heavy_is_loaded() -> None:
    program = "import sys, regimport.cli.app; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path(regimport.__file__).parents[1])},
    )
    assert not set(done.stdout.split()) & _HEAVY


@pytest.mark.parametrize(
    ("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")]
)
def test_a_running_copy_says_only_that_it_was_interrupted(
    program: Program, stalling: tuple[Shaky, Shaky], number: signal.Signals, word: str
) -> None:
    source, target = stalling
    process = program.start(
        "copy", "--progress", "none", f"{source.address}/app:1", f"{target.address}/app"
    )
    assert target.stalled.wait(20)
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert err == f"error: {word}; what is finished stays at the target\n"


def test_a_password_prompt_that_is_interrupted_shows_again_what_is_typed(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    command = [*_RUN, "login", "-u", "alice", "127.0.0.1:1"]
    with subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, cwd=tmp_path
    ) as process:
        said = _read_until(master, b"Password: ")
        assert not _echoes(master)
        process.send_signal(signal.SIGINT)
        assert process.wait(2) == 130
        said += _read_until(master, b"interrupted\r\n")
    assert _echoes(master)
    assert said.endswith(b"Password: \r\ninterrupted\r\n"), said
    os.close(master)
    os.close(slave)


def test_bars_that_are_cut_off_leave_the_cursor_visible(tmp_path: Path, slow_world: World) -> None:
    master, slave = pty.openpty()
    ends = [f"{slow_world.slow}/app:1", f"{slow_world.silent}/app:1"]
    command = [*_RUN, "verify", "--progress", "tty", *ends]
    with subprocess.Popen(command, stdout=slave, stderr=slave, cwd=tmp_path) as process:
        said = _read_until(master, b"\x1b[?25l")
        process.send_signal(signal.SIGTERM)
        assert process.wait(2) == 143
        said += _read_until(master, b"terminated\r\n")
    assert said.rindex(b"\x1b[?25h") > said.rindex(b"\x1b[?25l")
    os.close(master)
    os.close(slave)


def test_what_ends_bars_in_a_pipe_stands_on_a_line_of_its_own(
    tmp_path: Path, slow_world: World
) -> None:
    ends = [f"{slow_world.slow}/app:1", f"{slow_world.silent}/app:1"]
    command = [*_RUN, "verify", "--progress", "tty", *ends]
    with subprocess.Popen(command, stdout=-1, stderr=-1, cwd=tmp_path) as process:
        assert process.stderr is not None
        said = b""
        while b"looking up" not in said:
            said += os.read(process.stderr.fileno(), 4096)
        process.send_signal(signal.SIGTERM)
        assert process.wait(2) == 143
        said += process.stderr.read()
    assert said.endswith(b"\r\x1b[2K\x1b[?25hterminated\n")


def test_a_full_pipe_on_standard_error_holds_nobody_up(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, b"x" * 4096)
    with subprocess.Popen([*_RUN, "serve", "--port", "0"], stdout=-1, stderr=writer) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"listening")
        process.send_signal(signal.SIGINT)
        assert process.wait(2) == 130
    os.close(reader)
    os.close(writer)


def test_the_library_leaves_the_handlers_alone_and_raises_the_keyboard_interrupt_on(
    tmp_path: Path, stalling: tuple[Shaky, Shaky]
) -> None:
    source, target = stalling
    script = f"""
import signal, regimport
before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
try:
    regimport.copy("{source.address}/app:1", "{target.address}/app")
except KeyboardInterrupt:
    after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    print("raised", before == after)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=-1, stderr=-1, text=True, cwd=tmp_path
    ) as process:
        assert target.stalled.wait(20)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert time.monotonic() - started < 2
    assert (out, err) == ("raised True\n", "")
    assert target.sessions == {}


def _echoes(terminal: int) -> bool:
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


def _read_until(terminal: int, wanted: bytes) -> bytes:
    said = b""
    with suppress(OSError):
        while wanted not in said:
            said += os.read(terminal, 4096)
    return said
