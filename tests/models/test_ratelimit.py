"""Limits as Docker Hub tells them in the header of an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regimport.models.ratelimit import RateLimit

_HUB = {
    "ratelimit-limit": "100;w=21600",
    "ratelimit-remaining": "76;w=21600",
    "docker-ratelimit-source": "192.0.2.1",
}


def test_the_fields_of_docker_hub_are_read() -> None:
    found = RateLimit.of(_HUB)
    assert found == RateLimit(100, 76, 21600, "192.0.2.1")
    assert str(found) == "76 of 100 pulls left per 6 hours for the address 192.0.2.1"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("2001:db8::1", "for the address 2001:db8::1"),
        ("6f6a2b5c-1111-2222-3333-444455556666", "for the account 6f6a2b5c-1111"),
    ],
)
def test_an_account_is_told_from_an_address(source: str, words: str) -> None:
    assert words in str(RateLimit.of({**_HUB, "docker-ratelimit-source": source}))


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({}, None),
        ({"docker-ratelimit-source": "192.0.2.1"}, None),
        ({"ratelimit-limit": "many"}, None),
        ({"ratelimit-limit": "-1;w=60"}, None),
        ({"ratelimit-limit": "9" * 40}, None),
        ({"ratelimit-remaining": "3"}, RateLimit(None, 3, None)),
        ({"ratelimit-limit": " 5 ; w=60 "}, RateLimit(5, None, 60)),
        ({"ratelimit-limit": "5", "ratelimit-remaining": "0;w=7"}, RateLimit(5, 0, 7)),
    ],
)
def test_what_is_not_told_is_not_made_up(fields: dict[str, str], limit: RateLimit | None) -> None:
    assert RateLimit.of(fields) == limit


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (RateLimit(None, 3, None), "3 pulls left"),
        (RateLimit(5, None, 60), "? of 5 pulls left per minute"),
        (RateLimit(5, 0, 7), "0 of 5 pulls left per 7 seconds"),
        (RateLimit(5, 0, 5400), "0 of 5 pulls left per 90 minutes"),
    ],
)
def test_a_limit_is_told_in_words(limit: RateLimit, words: str) -> None:
    assert str(limit) == words


@given(st.dictionaries(st.sampled_from(sorted(_HUB)), st.text()))
def test_no_text_is_an_error(fields: dict[str, str]) -> None:
    found = RateLimit.of(fields)
    assert found is None or str(found).isprintable()
