"""Where a connection goes: name servers, their failures, and addresses that the user gives."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from regimport.auth.lookup import CredentialLookup
from regimport.errors import InvalidOptions, Side, Unreachable
from regimport.events import Event, Retrying, Silent
from regimport.network import Pin
from regimport.options import CopyOptions
from regimport.registry.request import Request
from regimport.registry.session import Session
from regimport.transport.dial import Dialer
from regimport.transport.eyeballs import Address, alternating
from regimport.transport.pool import PooledTransport
from registry.conftest import IMPATIENT
from support.peers import Asked, Reply, WebServer, web


class _Names:
    """A name server that fails as it is told, a number of times, and then knows the name."""

    def __init__(self, failures: Sequence[int] = (), addresses: Sequence[str] = ("127.0.0.1",)):
        self.failures = list(failures)
        self.addresses = addresses
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        if self.failures:
            raise socket.gaierror(self.failures.pop(0), "as the test says")
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                0,
                "",
                (address, port),
            )
            for address in self.addresses
        ]


@pytest.fixture
def server() -> Iterator[WebServer]:
    def answer(asked: Asked) -> Reply:
        return Reply(body=asked.headers["host"].encode())

    with web(answer) as running:
        yield running


class _Told:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def tell(self, event: Event) -> None:
        self.events.append(event)


def _ask(host: str, dialer: Dialer, told: _Told | None = None) -> bytes:
    options = CopyOptions(retry=IMPATIENT, plain_http=frozenset({host}))
    session = Session(
        host,
        Side.SOURCE,
        options,
        CredentialLookup(lambda _: None),
        told or Silent(),
        threading.Event(),
        PooledTransport(dialer),
    )
    try:
        return session.ask(Request("GET", "")).body
    finally:
        session.close()


def test_a_name_server_that_fails_for_now_is_asked_again(server: WebServer) -> None:
    names, told = _Names([socket.EAI_AGAIN] * 3), _Told()
    host = f"a.example:{server.address.partition(':')[2]}"
    assert _ask(host, Dialer(lookup=names), told) == host.encode()
    assert names.asked == ["a.example"] * 4
    assert len([one for one in told.events if isinstance(one, Retrying)]) == 3


@pytest.mark.parametrize("code", [socket.EAI_NONAME, socket.EAI_FAIL, socket.EAI_NODATA])
def test_a_name_that_nobody_knows_is_asked_for_once(code: int) -> None:
    names = _Names([code] * 9)
    with pytest.raises(Unreachable, match=r"^host not found: a\.example$") as caught:
        _ask("a.example:5000", Dialer(lookup=names))
    assert names.asked == ["a.example"]
    assert "`resolve=HOST:PORT:ADDRESS`" in str(caught.value.hint)


def test_a_name_without_an_address_is_not_found() -> None:
    with pytest.raises(Unreachable, match=r"host not found: a\.example"):
        _ask("a.example", Dialer(lookup=_Names(addresses=())))


def test_all_addresses_of_a_name_are_tried(server: WebServer) -> None:
    """Nothing listens at the first, as at the IPv6 address of a host that has lost it."""
    host = f"a.example:{server.address.partition(':')[2]}"
    assert _ask(host, Dialer(lookup=_Names(addresses=("::1", "127.0.0.1"))))


def test_an_address_that_is_given_counts_for_its_host_and_port(server: WebServer) -> None:
    port = int(server.address.partition(":")[2])
    places = {("a.example", port): ("127.0.0.1",), ("b.example", 1): ("127.0.0.1",)}
    names = _Names()
    dialer = Dialer(addresses=places, lookup=names)
    assert _ask(f"A.example:{port}", dialer) == f"A.example:{port}".encode()
    _ask(f"b.example:{port}", dialer)
    assert names.asked == ["127.0.0.1", "b.example"]


@pytest.fixture
def deaf(server: WebServer) -> Iterator[str]:
    """An address at which, on the server's port, nothing answers and nothing is refused."""
    port = int(server.address.partition(":")[2])
    with socket.create_server(("127.0.0.2", port), backlog=0) as listener, ExitStack() as stack:
        # Its queue is full: the system drops whoever else knocks.
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield "127.0.0.2"


def test_an_address_that_does_not_answer_costs_a_quarter_of_a_second_once(
    server: WebServer, deaf: str
) -> None:
    """RFC 8305, section 5; whoever waited for the first one would wait for an hour."""
    port = int(server.address.partition(":")[2])
    dialer = Dialer(addresses={("a.example", port): (deaf, "127.0.0.1")})
    took = []
    for _ in range(3):
        started = time.monotonic()
        dialer.dial("http", "a.example", port, 3600.0).close()
        took.append(time.monotonic() - started)
    assert took[0] >= 0.25
    assert max(took[1:]) < 0.25, "the one that answered was not remembered"


def test_an_address_that_refuses_is_passed_over_at_once(server: WebServer) -> None:
    port = int(server.address.partition(":")[2])
    dialer = Dialer(addresses={("a.example", port): ("127.0.0.3", "127.0.0.1")})
    started = time.monotonic()
    dialer.dial("http", "a.example", port, 3600.0).close()
    assert time.monotonic() - started < 0.25


def test_where_no_address_answers_that_is_a_timeout(server: WebServer, deaf: str) -> None:
    port = int(server.address.partition(":")[2])
    dialer = Dialer(addresses={("a.example", port): (deaf, deaf)})
    with pytest.raises(TimeoutError):
        dialer.dial("http", "a.example", port, 0.1)


@pytest.mark.parametrize(
    ("families", "tried"),
    [("4466", "4646"), ("6644", "6464"), ("4", "4"), ("466", "466"), ("446", "464")],
)
def test_both_families_take_turns(families: str, tried: str) -> None:
    """RFC 8305, section 4: the first one's first."""
    kinds = {"4": socket.AF_INET, "6": socket.AF_INET6}
    found: list[Address] = [
        (kinds[family], socket.SOCK_STREAM, 0, (str(number), 80))
        for number, family in enumerate(families)
    ]
    order = alternating(found)
    assert "".join("4" if family == socket.AF_INET else "6" for family, *_ in order) == tried
    assert sorted(found, key=str) == sorted(order, key=str)


@pytest.mark.parametrize(
    ("text", "pin"),
    [
        ("a.example:443:192.0.2.1", Pin("a.example", 443, ("192.0.2.1",))),
        ("A.example:443:192.0.2.1", Pin("a.example", 443, ("192.0.2.1",))),
        ("a.example:443:192.0.2.1,192.0.2.2", Pin("a.example", 443, ("192.0.2.1", "192.0.2.2"))),
        ("a.example:443:[2001:db8::1]", Pin("a.example", 443, ("2001:db8::1",))),
        ("a.example:443:2001:db8::1", Pin("a.example", 443, ("2001:db8::1",))),
        ("[2001:db8::9]:443:192.0.2.1", Pin("2001:db8::9", 443, ("192.0.2.1",))),
    ],
)
def test_an_address_is_given_as_to_curl(text: str, pin: Pin) -> None:
    assert Pin.parse(text) == pin


@pytest.mark.parametrize(
    "text",
    ["", "a", "a:443", "a:443:", "a:443:b.example", "a:0:192.0.2.1", "a:99999:192.0.2.1", ":1:::1"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidOptions, match="invalid value for `resolve`"):
        Pin.parse(text)
