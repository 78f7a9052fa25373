"""What the steps of a copy do together, where each alone says nothing of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from regimport import api
from regimport.engine.concurrency import FEWEST_JOBS
from support.images import digest_of, many_platforms
from support.miniature import Miniature
from support.scripted import Heard, Say, Scripted

# How long an answer takes on a long line, and how long is waited for what should happen at once.
_ROUND_TRIP = 0.03
_PATIENCE = 5.0
_WIDE = many_platforms(platforms=12)


def _far(answer: Callable[[Heard], Say]) -> Callable[[Heard], Say]:
    def late(heard: Heard) -> Say:
        time.sleep(_ROUND_TRIP)
        return answer(heard)

    return late


@pytest.fixture
def held() -> Miniature:
    registry = Miniature()
    registry.hold("app", _WIDE)
    return registry


def test_connections_are_opened_while_the_root_is_read_over_a_long_line(held: Miniature) -> None:
    opened: list[bool] = []

    def read(heard: Heard) -> Say:
        if heard.method == "GET" and heard.path.endswith(digest_of(_WIDE.raw)):
            opened.extend(end.wait_for(FEWEST_JOBS, _PATIENCE) for end in (source, target))
        return held(heard)

    with Scripted(_far(read)) as source, Scripted(_far(Miniature())) as target:
        api.copy(f"{source.address}/app", f"{target.address}/app")
    assert opened == [True, True]


def test_more_goes_on_at_once_over_a_long_line(held: Miniature) -> None:
    wanted = FEWEST_JOBS + 4
    together, lock, met = 0, threading.Lock(), threading.Event()
    waits: list[bool] = []

    def read(heard: Heard) -> Say:
        nonlocal together
        if "/blobs/" in heard.path:
            with lock:
                together += 1
                if together == wanted:
                    met.set()
            # All are held here, so that whoever comes comes at the same time.
            waits.append(met.wait(_PATIENCE))
        return held(heard)

    with Scripted(_far(read)) as source, Scripted(_far(Miniature())) as target:
        report = api.copy(f"{source.address}/app", f"{target.address}/app")
    assert all(waits)
    assert report.jobs >= wanted
    assert report.round_trip is not None
    assert report.round_trip >= _ROUND_TRIP
