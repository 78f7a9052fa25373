"""What a request looks like on the wire, at home and where a registry sends us."""

from __future__ import annotations

import traceback

import httpx
import pytest

from regimport.options import Timeouts
from regimport.registry.request import Request, to_httpx

_HERE = "https://r.example/v2/app/blobs/uploads/1?_state=a%2Fb"
_CHUNK = {"Content-Type": "application/octet-stream", "Content-Range": "5-9", "X-Own": "1"}


def _built(request: Request, url: str = _HERE, *, own: bool = True) -> httpx.Request:
    return to_httpx(request, url, "Bearer s3cret", Timeouts(), own=own)


def test_elsewhere_a_request_says_what_it_carries_and_nothing_of_the_user() -> None:
    request = Request("PATCH", _HERE, headers=_CHUNK | {"Content-Length": "5"}, content=[b"12345"])
    there = _built(request, "https://storage.example/x", own=False).headers
    assert there["Content-Range"] == "5-9"
    assert there["Content-Length"] == "5"
    assert "Authorization" not in there
    assert "X-Own" not in there
    assert _built(request).headers["Authorization"] == "Bearer s3cret"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        (_HERE, b"/v2/app/blobs/uploads/1?_state=a%2Fb"),
        ("https://r.example", b"/"),
        ("https://r.example/a/../b?x=[1]|é", b"/a/../b?x=[1]%7C%C3%A9"),
        ("https://r.example/a'b?q='1'&s=%2f%2F+", b"/a'b?q='1'&s=%2f%2F+"),
    ],
)
def test_what_may_be_signed_stays_byte_for_byte(url: str, target: bytes) -> None:
    assert _built(Request("GET", url), url).extensions["target"] == target


@pytest.mark.parametrize("secret", ["s3cret\n", "s3crét", "s3cret\0", "s3cret\u2028"])
def test_a_value_that_http_cannot_carry_is_in_no_error(secret: str) -> None:
    with pytest.raises(httpx.LocalProtocolError) as raised:
        to_httpx(Request("GET", _HERE), _HERE, secret, Timeouts(), own=True)
    assert "s3cr" not in "".join(traceback.format_exception_only(raised.value))
    assert raised.value.__context__ is None
