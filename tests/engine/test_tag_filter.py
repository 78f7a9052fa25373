"""Which tags a pattern takes, and how versions are ordered."""

from __future__ import annotations

import random

import pytest

from regimport import InvalidOptions
from regimport.engine.tag_filter import TagFilter, sort_tags

TAGS = ["latest", "1.9", "1.10", "1.10-slim", "1.10-rc1", "v2.0.0", "2", "sha256-0ab.sig"]


@pytest.mark.parametrize(
    ("match", "exclude", "wanted"),
    [
        ((), (), TAGS),
        (("1.*",), (), ["1.9", "1.10", "1.10-slim", "1.10-rc1"]),
        (("1.*",), ("*-*",), ["1.9", "1.10"]),
        (("latest", "v?.0.0"), (), ["latest", "v2.0.0"]),
        ((), ("sha256-*", "[0-9]*"), ["latest", "v2.0.0"]),
        (("LATEST",), (), []),
    ],
)
def test_tags_that_match_a_pattern_and_none_of_the_excluded_are_taken(
    match: tuple[str, ...], exclude: tuple[str, ...], wanted: list[str]
) -> None:
    assert TagFilter(match, exclude).select(TAGS) == wanted


@pytest.mark.parametrize("pattern", ["", "a/b", "a b", "app:1", "{a,b}"])
def test_a_pattern_that_no_tag_can_match_is_refused(pattern: str) -> None:
    for given in ({"match": (pattern,)}, {"exclude": (pattern,)}):
        with pytest.raises(InvalidOptions, match="no tag can match"):
            TagFilter(**given)


def test_versions_are_ordered_as_numbers_with_prereleases_before_and_variants_after() -> None:
    ordered = [
        "edge", "latest", "1", "1.2", "1.9", "1.10-alpha", "1.10-rc2", "1.10-rc10", "1.10",
        "1.10-alpine3.9", "1.10-alpine3.20", "1.10-slim", "v1.10.1", "2.0.0", "20240101",
    ]  # fmt: skip
    shuffled = random.Random(1).sample(ordered, len(ordered))
    assert sort_tags(shuffled, "version") == ordered


def test_the_newest_are_the_highest_versions_alone() -> None:
    assert sort_tags(TAGS, newest=2) == ["2", "v2.0.0"]
    assert sort_tags(TAGS, "name", newest=3) == ["1.10-slim", "2", "v2.0.0"]
    assert sort_tags(["latest"], newest=3) == []


def test_tags_stay_in_the_order_they_come_in_unless_another_is_asked_for() -> None:
    assert sort_tags(TAGS) == TAGS
    assert sort_tags(TAGS, "name") == sorted(TAGS)
