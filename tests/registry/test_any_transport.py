"""Any `httpx.BaseTransport` carries the requests of a session: one exchange each, mocked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest

from regimport.auth.lookup import CredentialLookup
from regimport.errors import RegimportError, Side
from regimport.events import Silent
from regimport.models.credential import Credential
from regimport.options import CopyOptions
from regimport.registry.request import Request
from regimport.registry.session import Session
from registry.conftest import IMPATIENT

_GET = Request("GET", "app/tags/list", ("repository:app:pull",))


@dataclass
class _Recorder(httpx.BaseTransport):
    answer: Callable[[httpx.Request], httpx.Response]
    asked: list[httpx.Request] = field(default_factory=list)
    closed: bool = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answer(request)

    def close(self) -> None:
        self.closed = True


def _session(transport: httpx.BaseTransport, credential: Credential | None = None) -> Session:
    return Session(
        "r.example",
        Side.SOURCE,
        CopyOptions(retry=IMPATIENT),
        CredentialLookup(lambda _: credential),
        Silent(),
        threading.Event(),
        transport,
        owned=False,
    )


def test_an_answer_that_was_made_whole_is_read_like_one_that_streams() -> None:
    session = _session(httpx.MockTransport(lambda _: httpx.Response(200, json={"tags": ["1"]})))
    assert session.ask(_GET).body == b'{"tags":["1"]}'
    with session.stream(_GET) as (head, pieces):
        assert head.status == 200
        assert b"".join(pieces) == b'{"tags":["1"]}'


def test_a_transport_of_somebody_else_is_never_closed() -> None:
    transport = _Recorder(lambda _: httpx.Response(200))
    session = _session(transport)
    assert session.ask(_GET).ok
    session.warm()
    session.abort()
    session.close()
    assert not transport.closed


@pytest.mark.parametrize(
    "error", [httpx.ConnectTimeout, httpx.ReadError, httpx.RemoteProtocolError, httpx.PoolTimeout]
)
def test_what_any_transport_raises_is_tried_again(error: type[httpx.TransportError]) -> None:
    failures = [error("broken"), error("broken")]

    def answer(_: httpx.Request) -> httpx.Response:
        if failures:
            raise failures.pop()
        return httpx.Response(200)

    transport = _Recorder(answer)
    assert _session(transport).ask(_GET).ok
    assert len(transport.asked) == 3


def test_what_a_transport_quotes_of_a_header_is_shown_to_nobody() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.LocalProtocolError(f"Illegal header {request.headers['authorization']}")

    transport = _Recorder(answer)
    session = _session(transport)
    with pytest.raises(RegimportError) as raised:
        session.ask(Request("GET", "", headers={"Authorization": "s3cret"}))
    assert "s3cret" not in str(raised.value)
    assert raised.value.__suppress_context__
    assert len(transport.asked) == 1


def test_the_round_trip_is_measured_without_the_token() -> None:
    """A token service that takes its time says nothing of the line to the registry."""
    slow = 0.2

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "auth.example":
            time.sleep(slow)
            return httpx.Response(200, json={"token": "t"})
        if "authorization" in request.headers:
            return httpx.Response(200)
        realm = 'Bearer realm="https://auth.example/token",service="r"'
        time.sleep(slow)
        return httpx.Response(401, headers={"WWW-Authenticate": realm})

    session = _session(httpx.MockTransport(answer))
    assert session.ask(_GET).ok
    assert session.round_trip is not None
    assert session.round_trip < slow
