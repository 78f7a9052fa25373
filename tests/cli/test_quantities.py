"""Sizes, rates and durations as users write them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regimport.cli.quantities import parse_duration, parse_rate, parse_size
from regimport.errors import InvalidOptions
from support.program import Program


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("1", 1),
        ("500K", 512_000),
        ("500k", 512_000),
        ("10M", 10 * 1024**2),
        ("1G", 1024**3),
        ("1.5M", 1.5 * 1024**2),
        ("2B", 2),
        ("1T", 1024**4),
        ("1P", 1024**5),
    ],
)
def test_a_rate_is_read_as_curl_reads_it(text: str, rate: float) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "0", "0.5", "K", "-1", "10 MB", "1Mbit", "1X", "fast", "9" * 400]
)
def test_what_is_no_rate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidOptions) as caught:
        parse_rate(text)
    assert repr(text) in caught.value.message
    assert "500K, 10M, 1G" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("1h30m", 5400),
        ("1h", 3600),
        ("1h1m1s", 3661),
        ("500ms", 0.5),
        ("1m500ms", 60.5),
        ("1.5h", 5400),
        ("90", 90),
        ("0.25", 0.25),
        ("1H", 3600),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text, "--deadline") == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "0", "0s", "-1s", "1d", "m", "30m1h", "1 h", "soon", "1s1s"])
def test_what_is_no_duration_is_refused_and_its_option_named(text: str) -> None:
    with pytest.raises(InvalidOptions) as caught:
        parse_duration(text, "--deadline")
    assert f"--deadline {text!r}" in caught.value.message


@pytest.mark.parametrize("text", ["0", "0s", "0m0s"])
def test_no_time_at_all_is_a_duration_only_where_it_may_be(text: str) -> None:
    assert parse_duration(text, "--max-wait", zero=True) == 0
    with pytest.raises(InvalidOptions):
        parse_duration("", "--max-wait", zero=True)


@pytest.mark.parametrize(("text", "size"), [("0.0", 0), ("1.5", 1), ("1.5KiB", 1536)])
def test_a_size_may_have_a_fraction(text: str, size: int) -> None:
    assert parse_size(text, "--x") == size


@given(st.text() | st.text(alphabet="0123456789.hmsKMG "))
def test_no_text_raises_anything_but_invalid_options(text: str) -> None:
    for parse in (
        lambda one: parse_size(one, "--x"),
        parse_rate,
        lambda one: parse_duration(one, "--x"),
    ):
        with suppress(InvalidOptions):
            assert parse(text) >= 0


def test_a_wrong_rate_is_wrong_usage(program: Program) -> None:
    ended = program("copy", "--limit-rate", "fast", "a", "b")
    assert ended.code == 2
    assert "500K, 10M, 1G" in ended.err
