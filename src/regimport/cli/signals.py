"""Ends the program at a signal, whatever its threads wait for.

Nothing is raised where the signal strikes: Python's handler, in C, writes the number of the signal
into a pipe, and a thread that reads it ends the program (`signal.set_wakeup_fd`). Work that is
registered in `INTERRUPTS` gets a moment to end in order; anything else is cut off.
This module loads next to nothing, so that the handlers are in place before anything else is loaded.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from _thread import allocate_lock, start_new_thread

from regimport.interrupts import INTERRUPTS

TYPE_CHECKING = False  # as in `typing`, which takes long to load
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

__all__ = ["exit_with", "noted", "report_with", "watch_signals"]

_NAMES = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
# How long work may take to end in order, in milliseconds.
_ORDERLY_MILLISECONDS = 1500
# How long child processes may take to be killed, in seconds.
_KILL_SECONDS = 0.3
_SHOW_CURSOR = "\x1b[?25h"
# Bars that were asked for where standard error is no terminal end in the middle of a line.
_ERASE_LINE = "\r\x1b[2K\x1b[?25h"

# How long a report of the end may take, in seconds: nobody may read what it is written to.
_REPORT_SECONDS = 0.5

# Prints how the program ended, in the form that its options ask for, in the place of a line.
_reports: list[Callable[[int], bool]] = []
# The first signal that arrived. The thread that holds the lock is the one that ends the program.
_arrived: list[int] = []
_ending = allocate_lock()


def watch_signals() -> None:
    """Take care of SIGINT and SIGTERM from now on; called in the main thread, first of all."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    start_new_thread(_watch, (reader, _terminal_restorer()))
    for number in _NAMES:
        signal.signal(number, _do_nothing)


def noted() -> bool:
    """Whether a signal has arrived."""
    return bool(_arrived)


def report_with(report: Callable[[int], bool]) -> None:
    """Call `report` with the signal that ends the program.

    It returns whether it has said on standard error that the program was interrupted.
    """
    _reports.append(report)


def exit_with(code: int) -> NoReturn:
    """Exit at once, without the interpreter's shutdown; a failure after a signal is due to it."""
    if code and _arrived:
        _exit_interrupted(_do_nothing)
    _ending.acquire()
    INTERRUPTS.end_processes(_KILL_SECONDS)
    os._exit(code)


def _do_nothing(*_: object) -> None:
    """Handle a signal: what there is to do is done by the thread that watches."""


def _watch(reader: int, restore_terminal: Callable[[], None]) -> None:
    number = _read_signal(reader)
    _arrived.append(number)
    if INTERRUPTS.pending:
        # In a thread of its own: whatever it waits for, the program ends in time.
        start_new_thread(INTERRUPTS.interrupt, ())
        second = select.poll()
        second.register(reader, select.POLLIN)
        second.poll(_ORDERLY_MILLISECONDS)
    _exit_interrupted(restore_terminal)


def _read_signal(reader: int) -> int:
    while (number := os.read(reader, 1)[0]) not in _NAMES:
        pass
    return number


def _exit_interrupted(restore_terminal: Callable[[], None]) -> NoReturn:
    """Say once that the program was interrupted, and exit."""
    _ending.acquire()
    number = _arrived[0]
    INTERRUPTS.end_processes(_KILL_SECONDS)
    for step in (restore_terminal, lambda: _report(number)):
        try:
            step()
        except OSError:
            continue  # the terminal is gone, or nobody reads standard error
    os._exit(128 + number)


def _report(number: int) -> None:
    said: list[bool] = []
    over = allocate_lock()
    over.acquire()

    def report() -> None:
        try:
            said.extend(report(number) for report in _reports)
        finally:
            over.release()

    if _reports:
        start_new_thread(report, ())
        over.acquire(timeout=_REPORT_SECONDS)
    if not any(said):
        _say(_NAMES[signal.Signals(number)])


def _say(what: str) -> None:
    line = f"error: {what}; what is finished stays at the target\n" if INTERRUPTS.writing else ""
    line = line or f"{what}\n"
    live = "rich.live" in sys.modules
    if os.isatty(2):
        # After the ^C that the terminal has shown.
        line = f"{_SHOW_CURSOR if live else ''}\n{line}"
    elif live:
        line = f"{_ERASE_LINE}{line}"
    output = select.poll()
    output.register(2, select.POLLOUT)
    if output.poll(0):  # a reader that reads nothing holds nobody up
        os.write(2, line.encode())


def _terminal_restorer() -> Callable[[], None]:
    """Return what sets the terminal back as it is now: a prompt for a password hides what is typed.

    Not for a program in the background, which would be stopped.
    """
    if not os.isatty(0):
        return _do_nothing
    import termios

    before = termios.tcgetattr(0)

    def restore() -> None:
        if not _in_background() and termios.tcgetattr(0) != before:
            termios.tcsetattr(0, termios.TCSANOW, before)

    return restore


def _in_background() -> bool:
    """Whether standard input is a terminal that another job of the shell uses now."""
    try:
        return os.tcgetpgrp(0) != os.getpgrp()
    except OSError:
        return False  # not the terminal of this session, and so of no job
