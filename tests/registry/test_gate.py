"""The gate: closed for as long as was asked, open after that, and never for a stopped copy."""

from __future__ import annotations

import threading

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
