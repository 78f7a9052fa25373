"""The reporters that a run puts before the caller's."""

from __future__ import annotations

import threading

import pytest

from engine.memory import Told
from regimport.events import Event, ReadingManifests, Warned
from regimport.models.ratelimit import RateLimit
from regimport.reporters import QuotaWarnings, WarningsOnce


def test_a_warning_is_told_once_and_everything_else_as_often_as_it_comes() -> None:
    told = Told()
    reporter = WarningsOnce(told, threading.Event())
    events: list[Event] = [
        Warned("a"),
        ReadingManifests(1),
        Warned("a"),
        ReadingManifests(1),
        Warned("b"),
    ]
    for event in events:
        reporter.tell(event)
    assert told.events == [events[0], events[1], events[3], events[4]]


def test_it_is_warned_once_if_more_manifests_will_be_read_than_pulls_are_left() -> None:
    told = Told()
    reporter = QuotaWarnings(told, "r.example/x", lambda: RateLimit(100, 3, 21600))
    reporter.tell(ReadingManifests(4))
    reporter.tell(ReadingManifests(5))
    first, warning, second = told.events
    assert (first, second) == (ReadingManifests(4), ReadingManifests(5))
    assert isinstance(warning, Warned)
    assert "4 more pulls at r.example/x, but there are 3 of 100" in warning.message


@pytest.mark.parametrize("left", [4, None])
def test_what_is_just_enough_or_not_known_is_not_warned_of(left: int | None) -> None:
    told = Told()
    reporter = QuotaWarnings(told, "r.example/x", lambda: RateLimit(100, left, 21600))
    reporter.tell(ReadingManifests(4))
    assert told.events == [ReadingManifests(4)]


def test_a_registry_that_says_nothing_of_a_limit_is_not_warned_of() -> None:
    told = Told()
    QuotaWarnings(told, "r.example/x", lambda: None).tell(ReadingManifests(1000))
    assert told.events == [ReadingManifests(1000)]
