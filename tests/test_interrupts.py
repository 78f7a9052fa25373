"""What is ended in order, or killed, when the program is interrupted."""

from __future__ import annotations

import threading

from regimport.interrupts import Interrupts


def test_work_is_stopped_once_it_is_interrupted() -> None:
    interrupts, stopped = Interrupts(), threading.Event()
    with interrupts.working(stopped.set):
        assert interrupts.pending
        interrupts.interrupt()
    assert stopped.is_set()
    assert not interrupts.pending


def test_work_that_begins_after_the_interrupt_is_stopped_too() -> None:
    interrupts, stopped = Interrupts(), threading.Event()
    interrupts.interrupt()
    with interrupts.working(stopped.set):
        assert stopped.is_set()


def test_work_that_is_over_is_left_alone() -> None:
    interrupts, stopped = Interrupts(), threading.Event()
    with interrupts.working(stopped.set):
        pass
    interrupts.interrupt()
    assert not stopped.is_set()


def test_processes_are_killed_at_the_end_and_none_is_started_any_more() -> None:
    interrupts, killed = Interrupts(), threading.Event()
    with interrupts.process(killed.set):
        interrupts.end_processes(1)
    assert killed.is_set()
    assert not interrupts.starting.acquire(blocking=False)


def test_a_process_that_takes_long_to_start_holds_up_the_end_only_for_so_long() -> None:
    interrupts, killed = Interrupts(), threading.Event()
    with interrupts.starting, interrupts.process(killed.set):
        interrupts.end_processes(0.01)
    assert killed.is_set()
