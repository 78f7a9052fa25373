"""Clients that send too much, too slowly or ambiguously, and what is left for the others."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from regimport.server import manifests, protocol, uploads
from regimport.server.protocol import BoundedProtocol
from regimport.server.run import serving
from server.client import Client

HALF_HEAD = b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nX: "
PATCH = b"PATCH %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
Connect = Callable[[], socket.socket]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with serving(tmp_path / "registry") as registry:
        yield registry.address


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with closing(Client(address)) as client:
        yield client


@pytest.fixture
def connect(address: str) -> Iterator[Connect]:
    """Give a function that opens one more connection."""
    host, _, port = address.partition(":")
    with ExitStack() as stack:

        def open_socket() -> socket.socket:
            return stack.enter_context(socket.create_connection((host, int(port)), timeout=10))

        yield open_socket


def was_closed(connection: socket.socket, *, sending: bytes = b"") -> bool:
    """Send again and again until the other end closes; False if it does not within its timeout."""
    started = time.monotonic()
    connection.settimeout(0.05)
    while time.monotonic() - started < 10:
        try:
            if sending:
                connection.sendall(sending)
            if not connection.recv(4096):
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


def test_half_sent_heads_keep_nobody_out(address: str, connect: Connect) -> None:
    for _ in range(protocol.most_connections() + 30):
        connect().sendall(HALF_HEAD)
    started = time.monotonic()
    with closing(Client(address)) as client:
        assert client.ask("GET", "/v2/").status == 200
    assert time.monotonic() - started < 5


def test_a_head_has_a_bound_on_its_time_also_if_bytes_keep_coming(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(protocol._LIMITS, protocol._Phase.HEAD, 0.2)
    for before in (b"", b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        connection = connect()
        connection.sendall(before)
        if before:
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(HALF_HEAD)
        assert was_closed(connection, sending=b"x")


@pytest.mark.parametrize("trickle", [b"", b"x"])
def test_a_body_has_a_bound_on_its_slowness(
    client: Client, connect: Connect, monkeypatch: pytest.MonkeyPatch, trickle: bytes
) -> None:
    location = client.start("x").location
    monkeypatch.setattr(protocol, "IDLE_SECONDS", 0.3)
    connection = connect()
    connection.sendall(PATCH % location.encode() + b"the beginning")
    assert was_closed(connection, sending=trickle)
    # What came is kept, and the session is free for its client.
    assert client.ask("DELETE", location).status == 204


def test_a_refused_body_is_not_read_for_ever(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(protocol._LIMITS, protocol._Phase.DRAIN, 0.2)
    connection = connect()
    connection.sendall(PATCH % b"/v2/x/blobs/uploads/none")
    assert was_closed(connection, sending=b"x")


def test_a_client_that_does_not_read_its_answer_is_closed(
    client: Client, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = client.push_blob("x", bytes(16 * 1024 * 1024))
    client.close()
    lost = threading.Event()
    real = BoundedProtocol.connection_lost

    def connection_lost(self: BoundedProtocol, exc: Exception | None) -> None:
        real(self, exc)
        lost.set()

    monkeypatch.setitem(protocol._LIMITS, protocol._Phase.ANSWER, 0.2)
    connection = connect()
    monkeypatch.setattr(BoundedProtocol, "connection_lost", connection_lost)
    connection.sendall(b"GET /v2/x/blobs/%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % digest.encode())
    assert lost.wait(10)


@pytest.mark.parametrize(
    "head",
    [
        b"POST /v2/x/blobs/uploads/ HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        b"POST /v2/x/blobs/uploads/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
        b"POST /v2/x/blobs/uploads/ HTTP/1.0\r\nTransfer-Encoding: chunked",
    ],
)
def test_a_request_with_two_lengths_is_refused_and_nothing_after_it_is_read(
    connect: Connect, head: bytes
) -> None:
    connection = connect()
    hidden = b"GET /v2/_catalog HTTP/1.1\r\nHost: localhost\r\n\r\n"
    connection.sendall(head + b"\r\nHost: localhost\r\n\r\n0\r\n\r\n" + hidden)
    answer = b""
    while piece := connection.recv(4096):
        answer += piece
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1


def test_sessions_are_bounded_and_the_one_unused_for_longest_makes_room(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_SESSIONS", 5)
    locations = [client.start("x").location for _ in range(5)]
    refused = client.start("x")
    assert (refused.status, refused.codes) == (429, ["TOOMANYREQUESTS"])
    monkeypatch.setattr(uploads, "MIN_AGE_SECONDS", 0)
    client.ask("PATCH", locations[0], b"used just now")
    assert client.start("x").status == 202
    assert client.ask("GET", locations[0]).status == 204
    assert client.ask("GET", locations[1]).status == 404
    assert len(list((tmp_path / "registry/uploads").iterdir())) == 5


def test_old_sessions_are_swept_while_the_registry_runs(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = client.start("x").location
    monkeypatch.setattr(uploads, "SWEEP_SECONDS", 0)
    monkeypatch.setattr(uploads, "MAX_AGE_SECONDS", 0)
    client.start("x")
    assert client.ask("GET", location).status == 404
    assert len(list((tmp_path / "registry/uploads").iterdir())) == 1


def test_the_bytes_of_unfinished_uploads_are_bounded(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_UNFINISHED_BYTES", 1000)
    assert client.ask("PATCH", client.start("x").location, bytes(900)).status == 202
    assert client.ask("PATCH", client.start("x").location, bytes(900)).status == 413
    sizes = [path.stat().st_size for path in (tmp_path / "registry/uploads").iterdir()]
    assert sum(sizes) == 900


def test_others_are_answered_while_a_large_manifest_is_parsed(client: Client, address: str) -> None:
    # As many values as a manifest may have, each of them slow to read.
    value = b'"' + rb"\u00e9" * 8 + b'",'
    body = b'{"schemaVersion":2,"layers":[],"x":[' + value * 250_000 + b"1]}"
    parsed = threading.Event()
    began = threading.Event()
    answers = []

    def push() -> None:
        with closing(Client(address)) as pusher:
            pusher.connection.connect()
            began.set()
            answers.append(pusher.ask("PUT", "/v2/x/manifests/1", body).status)
        parsed.set()

    pushing = threading.Thread(target=push)
    pushing.start()
    began.wait()
    longest, answered = 0.0, 0
    while not parsed.is_set():
        started = time.monotonic()
        assert client.ask("GET", "/v2/").status == 200
        longest, answered = max(longest, time.monotonic() - started), answered + 1
    pushing.join()
    assert answers == [201]
    assert answered > 3
    assert longest < 1


def test_a_manifest_that_does_not_arrive_in_time_is_refused(
    client: Client, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifests, "BODY_SECONDS", 0.1)
    connection = connect()
    connection.sendall(
        b"PUT /v2/x/manifests/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
    )
    assert connection.recv(4096).startswith(b"HTTP/1.1 408")


def test_a_page_of_a_length_of_five_thousand_digits_is_refused(client: Client) -> None:
    assert client.ask("GET", "/v2/_catalog?n=" + "9" * 5000).status == 400
