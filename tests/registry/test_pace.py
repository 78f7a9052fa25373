"""How often and how many at once: what is set for a registry holds for all that ask it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from regimport import api
from regimport.engine.pace import most_jobs
from regimport.network import Network, RegistrySettings
from regimport.options import CopyOptions
from regimport.registry.pace import Pace
from support.images import many_platforms
from support.miniature import Miniature
from support.scripted import Heard, Say, Scripted


def test_turns_are_spaced_evenly() -> None:
    now = 100.0
    pace = Pace(4, lambda: now)
    assert [pace.reserve() for _ in range(4)] == [0, 0.25, 0.5, 0.75]
    now = 100.5
    assert pace.reserve() == 0.5
    now = 200.0
    assert [pace.reserve(), pace.reserve()] == [0, 0.25], "what was not used is not saved up"


class _Busy:
    """Counts how many requests are being answered at once, and when they came."""

    def __init__(self, answer: Callable[[Heard], Say], takes: float = 0.0) -> None:
        self._answer = answer
        self._takes = takes
        self._lock = threading.Lock()
        self._now = 0
        self.peak = 0
        self.came: list[float] = []

    def __call__(self, heard: Heard) -> Say:
        with self._lock:
            self.came.append(time.monotonic())
            self._now += 1
            self.peak = max(self.peak, self._now)
        try:
            time.sleep(self._takes)  # the longer an answer takes, the more of them meet
            return self._answer(heard)
        finally:
            with self._lock:
                self._now -= 1


@pytest.mark.parametrize(("concurrency", "least", "most"), [(None, 5, 32), (1, 1, 1), (3, 2, 3)])
def test_no_more_is_asked_at_once_than_is_set(
    concurrency: int | None, least: int, most: int
) -> None:
    held = Miniature()
    held.hold("app", many_platforms())
    source, target = _Busy(held, 0.01), Miniature()
    with Scripted(source) as one, Scripted(target) as other:
        settings = {one.address: RegistrySettings(concurrency=concurrency)}
        api.copy(
            f"{one.address}/app",
            f"{other.address}/copy:latest",
            options=CopyOptions(network=Network(registries=settings), jobs=16),
        )
    assert least <= source.peak <= most


def test_several_targets_in_one_registry_share_what_is_set() -> None:
    image, held = many_platforms(), Miniature()
    held.hold("app", image)
    target = Miniature()
    busy = _Busy(target, 0.01)
    with Scripted(held) as one, Scripted(busy) as other:
        settings = {other.address: RegistrySettings(concurrency=4)}
        report = api.copy(
            f"{one.address}/app",
            f"{other.address}/a:1",
            f"{other.address}/b:1",
            options=CopyOptions(network=Network(registries=settings)),
        )
    assert report.exit_code == 0
    assert busy.peak <= 4
    assert target.holds("a", image, "1")


def test_the_strictest_registry_counts() -> None:
    network = Network(
        registries={
            "a.example": RegistrySettings(concurrency=6),
            "b.example:5000": RegistrySettings(concurrency=2),
        }
    )
    assert most_jobs(["a.example", "c.example"], network) == 6
    assert most_jobs(["a.example", "A.example:443"], network) == 3
    assert most_jobs(["a.example", "b.example:5000"], network) == 2
    assert most_jobs(["b.example:5000"] * 5, network) == 1
    assert most_jobs(["c.example"], network) > 1000


def test_both_ends_of_a_copy_share_the_rate_of_their_registry() -> None:
    """The first goes at once, each other at least its interval after the one before."""
    held = Miniature()
    held.hold("app", many_platforms())
    busy = _Busy(held)
    with Scripted(busy) as registry:
        settings = {registry.address: RegistrySettings(request_rate=50)}
        api.copy(
            f"{registry.address}/app",
            f"{registry.address}/copy:latest",
            options=CopyOptions(network=Network(registries=settings)),
        )
    took = busy.came[-1] - busy.came[0]
    assert len(busy.came) > 10
    assert took >= (len(busy.came) - 2) / 50
