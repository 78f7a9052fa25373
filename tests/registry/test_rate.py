"""How often and how many at once: what is set for a registry holds for all that ask it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from regimport import api
from regimport.engine.concurrency import limit_jobs
from regimport.network import Network, RegistrySettings
from regimport.options import CopyOptions
from regimport.registry.rate import RequestRate
from support.images import many_platforms
from support.miniature import Miniature
from support.scripted import Heard, Say, Scripted


def test_turns_are_spaced_evenly() -> None:
    now = 100.0
    pace = RequestRate(4, lambda: now)
    assert [pace.reserve() for _ in range(4)] == [0, 0.25, 0.5, 0.75]
    now = 100.5
    assert pace.reserve() == 0.5
    now = 200.0
    assert [pace.reserve(), pace.reserve()] == [0, 0.25], "what was not used is not saved up"


class _Busy:
    """Counts how many requests are being answered at once, and when they came.

    The first blobs are held back until so many requests have met, for `patience` seconds at most.
    """

    def __init__(
        self, answer: Callable[[Heard], Say], together: int = 1, patience: float = 0.3
    ) -> None:
        self._answer = answer
        self._together = together
        self._patience = patience
        self._met = threading.Event()
        self._lock = threading.Lock()
        self._now = 0
        self.peak = 0
        self.came: list[float] = []

    def __call__(self, heard: Heard) -> Say:
        with self._lock:
            self.came.append(time.monotonic())
            self._now += 1
            self.peak = max(self.peak, self._now)
            if self._now >= self._together:
                self._met.set()
        try:
            if "/blobs/" in heard.path:
                self._met.wait(self._patience)
                self._met.set()
            return self._answer(heard)
        finally:
            with self._lock:
                self._now -= 1


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_is_asked_at_once_than_is_set(concurrency: int) -> None:
    assert _peak(concurrency, together=concurrency + 1, patience=0.3) == concurrency


def test_more_is_asked_at_once_where_nothing_is_set() -> None:
    assert _peak(None, together=4, patience=20) >= 4


def _peak(concurrency: int | None, together: int, patience: float) -> int:
    held = Miniature()
    held.hold("app", many_platforms())
    source = _Busy(held, together, patience)
    with Scripted(source) as one, Scripted(Miniature()) as other:
        settings = {one.address: RegistrySettings(concurrency=concurrency)}
        api.copy(
            f"{one.address}/app",
            f"{other.address}/copy:latest",
            options=CopyOptions(network=Network(registries=settings), jobs=16),
        )
    return source.peak


def test_several_targets_in_one_registry_share_what_is_set() -> None:
    image, held = many_platforms(), Miniature()
    held.hold("app", image)
    target = Miniature()
    busy = _Busy(target, 5)
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


def test_what_is_set_for_a_mirror_holds_there() -> None:
    image = many_platforms()
    held, kept = Miniature(), Miniature()
    held.hold("app", image)
    kept.hold("app", image)
    busy = _Busy(kept, 3)
    with Scripted(held) as one, Scripted(busy) as mirror, Scripted(Miniature()) as other:
        settings = {
            one.address: RegistrySettings(mirrors=(f"http://{mirror.address}",)),
            mirror.address: RegistrySettings(concurrency=2),
        }
        api.copy(
            f"{one.address}/app",
            f"{other.address}/copy:latest",
            options=CopyOptions(network=Network(registries=settings), jobs=16),
        )
    assert busy.came
    assert busy.peak <= 2


def test_the_strictest_registry_counts() -> None:
    network = Network(
        registries={
            "a.example": RegistrySettings(concurrency=6),
            "b.example:5000": RegistrySettings(concurrency=2),
        }
    )
    assert limit_jobs(["a.example", "c.example"], network) == 6
    assert limit_jobs(["a.example", "A.example:443"], network) == 3
    assert limit_jobs(["a.example", "b.example:5000"], network) == 2
    assert limit_jobs(["b.example:5000"] * 5, network) == 1
    assert limit_jobs(["c.example"], network) > 1000


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
