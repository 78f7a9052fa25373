"""What is read of an answer, and what an error says of it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import httpx
import pytest

from regimport.errors import (
    AccessDenied,
    InvalidManifest,
    NotFound,
    RateLimited,
    RegistryError,
    Unreachable,
)
from regimport.transport.answers import Answer, error_of, read_answer, retry_after

_URL = "https://r.example/v2/app/manifests/v1?secret=hush"


def _error(status: int, body: bytes = b"", method: str = "GET") -> RegistryError | Unreachable:
    error = error_of(Answer(method, _URL, status, httpx.Headers(), body))
    assert isinstance(error, (RegistryError, Unreachable))
    assert "hush" not in str(error)
    return error


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RegistryError),
        (401, AccessDenied),
        (403, AccessDenied),
        (404, NotFound),
        (418, RegistryError),
        (429, RateLimited),
        (499, RegistryError),
        (500, Unreachable),
        (599, Unreachable),
    ],
)
def test_a_status_has_its_error(status: int, kind: type[Exception]) -> None:
    error = _error(status)
    assert type(error) is kind
    assert str(status) in error.message


def test_codes_and_messages_are_kept() -> None:
    errors = [{"code": "DENIED", "message": "no"}, {"code": "NAME_UNKNOWN"}, 7, {"code": 7}]
    error = _error(403, json.dumps({"errors": errors}).encode())
    assert isinstance(error, RegistryError)
    assert error.codes == ("DENIED", "NAME_UNKNOWN")
    assert error.message.endswith(": DENIED: no; NAME_UNKNOWN")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html><head><title>\n Log in </title>", ": Log in"),
        (b"<!doctype html><html><p>hello", ": a web page"),
        (b"plain\n words", ": plain words"),
        (b"\x1b]0;evil\x07\x1b[31mred\x1b[0m", ": red"),
        (b"", "404 Not Found"),
    ],
)
def test_what_is_no_json_is_told_in_words(body: bytes, said: str) -> None:
    assert _error(404, body).message.endswith(said)


def test_nothing_a_terminal_obeys_is_left_of_codes_and_messages() -> None:
    document = {"errors": [{"code": "A\x1b[2J", "message": "b\r\n\u202ec\x9b1m"}]}
    error = _error(400, json.dumps(document).encode())
    assert isinstance(error, RegistryError)
    assert all(character.isprintable() for character in "".join((error.message, *error.codes)))


@pytest.mark.parametrize("body", [b"[" * 60_000, b'{"errors":7}', b'{"errors":null}', b"\xff"])
def test_a_strange_body_is_no_second_error(body: bytes) -> None:
    assert _error(400, body).message


@pytest.mark.parametrize(
    "piece", [b"<title", b"<title ", b"<TITLE>", b"<html", b"\x1b[", b"\x1b]0;"]
)
def test_a_page_of_nothing_but_tags_is_read_at_once(piece: bytes) -> None:
    began = time.process_time()
    _error(404, piece * (64 * 1024 // len(piece)))
    assert time.process_time() - began < 0.1


def _response(status: int, content: Sequence[bytes]) -> httpx.Response:
    return httpx.Response(status, content=iter(content))


def test_at_most_64_kib_of_an_error_are_kept() -> None:
    response = _response(400, [b"x" * 1000] * 1000)
    assert len(read_answer("GET", _URL, response, 10).body) == 64 * 1024


def test_an_answer_that_is_too_long_is_an_error() -> None:
    assert read_answer("GET", _URL, _response(200, [b"ab"]), 2).body == b"ab"
    with pytest.raises(InvalidManifest):
        read_answer("GET", _URL, _response(200, [b"ab", b"c"]), 2)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 40),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0),
        ("", None),
        ("-1", None),
        ("1e9", None),
        ("soon", None),
        ("9" * 400, None),
        ("Thu, 99 Jan 1970 00:00:10 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, 60.0) == seconds
