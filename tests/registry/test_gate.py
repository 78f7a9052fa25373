"""The gate: closed for as long as was asked, open after that, and never for a stopped copy."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from regimport.errors import Interrupted
from regimport.registry.gate import Gate


class _Stop(threading.Event):
    """An event on which waiting only moves the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        self.now += timeout
        return self.is_set()


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> _Stop:
    stop = _Stop()
    monkeypatch.setattr("time.monotonic", lambda: stop.now)
    return stop


def test_an_open_gate_lets_through_at_once(stop: _Stop) -> None:
    Gate(stop).wait()
    assert stop.waits == []


def test_a_held_gate_lets_through_when_the_time_is_up(stop: _Stop) -> None:
    gate = Gate(stop)
    gate.hold(7)
    gate.wait()
    gate.wait()
    assert stop.waits == [7]


def test_a_shorter_pause_does_not_end_a_longer_one(stop: _Stop) -> None:
    gate = Gate(stop)
    gate.hold(7)
    gate.hold(2)
    gate.wait()
    assert stop.waits == [7]


def test_nothing_goes_through_once_the_copy_is_stopped(stop: _Stop) -> None:
    gate = Gate(stop)
    stop.set()
    with pytest.raises(Interrupted):
        gate.wait()
    with pytest.raises(Interrupted):
        gate.sleep(1)


def test_a_registry_that_was_asked_too_much_is_asked_half_as_much_once_for_all_at_once() -> None:
    gate = Gate(threading.Event())
    with ExitStack() as stack:
        marks = [stack.enter_context(gate.passage()) for _ in range(8)]
        for mark in marks:
            gate.crowded(mark)
    assert "4 at once" in repr(gate)
    assert _at_once(gate, 8) == 4


def test_twenty_good_answers_let_one_more_request_in_until_all_are_as_before() -> None:
    gate = _lowered(4)
    seen = []
    for _ in range(2):
        for _ in range(20):
            gate.good()
        seen.append(_at_once(gate, 5))
    assert seen == [3, 5]
    assert repr(gate) == "<Gate open>"


def test_a_second_complaint_halves_again_and_never_to_nothing() -> None:
    gate = _lowered(4)
    for expected in (1, 1):
        with gate.passage() as mark:
            gate.crowded(mark)
        assert _at_once(gate, 3) == expected


def test_the_rest_of_what_has_begun_waits_for_nobody() -> None:
    gate = _lowered(2)
    with gate.passage(), gate.passage(room=False), gate.passage(room=False):
        assert "1 at once" in repr(gate)


def test_nobody_waits_for_room_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regimport.registry.gate._LONGEST_WAIT", 0.01)
    gate = _lowered(2)
    with gate.passage(), gate.passage():
        pass


def test_nobody_waits_for_room_once_the_copy_is_stopped() -> None:
    stop = threading.Event()
    gate = _lowered(2, stop)
    with gate.passage():
        threading.Timer(0.05, stop.set).start()
        with pytest.raises(Interrupted), gate.passage():
            pass


def _lowered(size: int, stop: threading.Event | None = None) -> Gate:
    """A gate that was crowded when `size` requests were under way."""
    gate = Gate(stop or threading.Event())
    with ExitStack() as stack:
        marks = [stack.enter_context(gate.passage()) for _ in range(size)]
        gate.crowded(marks[0])
    return gate


def _at_once(gate: Gate, wanted: int, patience: float = 0.2) -> int:
    """How many requests get in while none of them ends."""
    over = threading.Event()
    came = threading.Semaphore(0)

    def ask() -> None:
        with gate.passage():
            came.release()
            over.wait(10)

    threads = [threading.Thread(target=ask) for _ in range(wanted)]
    for thread in threads:
        thread.start()
    count = 0
    while count < wanted and came.acquire(timeout=patience):
        count += 1
    over.set()
    for thread in threads:
        thread.join(10)
    return count
