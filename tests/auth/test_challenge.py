import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regimport.auth.challenge import Challenge, parse_challenges

_CASES = json.loads((Path(__file__).parents[1] / "data" / "challenges.json").read_text())


def _as_json(challenge: Challenge) -> dict[str, Any]:
    shown: dict[str, Any] = {"scheme": challenge.scheme, "params": dict(challenge.params)}
    if challenge.token68 is not None:
        shown["token68"] = challenge.token68
    return shown


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case["header"][:60])
def test_a_header_of_the_field_is_read_as_its_vector_says(case: dict[str, Any]) -> None:
    assert [_as_json(challenge) for challenge in parse_challenges(case["header"])] == case["expect"]


def test_several_headers_joined_by_commas_are_several_challenges() -> None:
    values = ['Basic realm="a, b"', 'Bearer realm="https://r.example/token",service="r"']
    basic, bearer = parse_challenges(", ".join(values))
    assert (basic.scheme, basic.params) == ("basic", {"realm": "a, b"})
    assert bearer.params == {"realm": "https://r.example/token", "service": "r"}


def test_the_params_of_a_challenge_cannot_be_changed() -> None:
    (challenge,) = parse_challenges('Bearer realm="a"')
    with pytest.raises(TypeError):
        challenge.params["realm"] = "b"  # type: ignore[index]


@given(st.text() | st.text(alphabet='Bearer =",\\ \t~é'))
def test_no_text_makes_the_parser_raise(header: str) -> None:
    for challenge in parse_challenges(header):
        assert challenge.scheme == challenge.scheme.lower()
        assert all(key == key.lower() for key in challenge.params)


_NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
_VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126))


@given(st.lists(st.tuples(_NAMES, st.dictionaries(_NAMES, _VALUES, min_size=1)), max_size=4))
def test_what_is_written_by_the_grammar_is_read_back(
    written: list[tuple[str, dict[str, str]]],
) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    header = ", ".join(
        f"{scheme} " + ", ".join(f"{key}={quoted(value)}" for key, value in params.items())
        for scheme, params in written
    )
    assert [(c.scheme, dict(c.params)) for c in parse_challenges(header)] == written


@pytest.mark.parametrize(
    "hostile",
    [
        'Bearer realm="' + "\\" * 200_000,
        "Bearer " + "=" * 200_000,
        "a " * 100_000,
        "a=" * 100_000,
        "Bearer " + 'a="",' * 40_000,
        "Basic " + "A" * 200_000 + "!",
        ", " * 100_000,
        'x "' * 60_000,
    ],
    ids=lambda text: text[:14],
)
def test_a_hostile_header_is_read_in_linear_time(hostile: str) -> None:
    started = time.process_time()
    parse_challenges(hostile)
    assert time.process_time() - started < 2
