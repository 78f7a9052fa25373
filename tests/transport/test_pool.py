"""The transport on real connections: kept, replaced, broken, refused and late."""

from __future__ import annotations

import hashlib
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import httpx
import pytest
import trustme

from regimport.transport.answers import body_of
from regimport.transport.dial import Dialer
from regimport.transport.pool import PIECE, PooledTransport
from regimport.transport.stream import Stream
from support.peers import Line, Peer, peer

_OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_SOON = 0.2


Serve: TypeAlias = Callable[[Callable[[Line], None]], AbstractContextManager[Peer]]


@pytest.fixture
def transport() -> Iterator[PooledTransport]:
    opened = PooledTransport()
    yield opened
    opened.close()


def _context(authority: trustme.CA, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(params=["plain", "TLSv1_2", "TLSv1_3"])
def serve(
    request: pytest.FixtureRequest,
    authority: trustme.CA,
    ca_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Serve:
    """Starts servers that speak plain HTTP, or one version of TLS."""
    if request.param == "plain":
        return peer
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    context = _context(authority, ssl.TLSVersion[request.param])
    return lambda treat: peer(treat, context)


def _request(
    method: str,
    url: str,
    content: bytes | Iterator[bytes] = b"",
    headers: dict[str, str] | None = None,
    **clocks: float,
) -> httpx.Request:
    sent = {"Host": urlsplit(url).netloc, **(headers or {})}
    if isinstance(content, bytes) and content:
        sent["Content-Length"] = str(len(content))
    stream = httpx.ByteStream(content) if isinstance(content, bytes) else _Stream(content)
    times = {"connect": 10.0, "read": 10.0, "write": 10.0, **clocks}
    return httpx.Request(method, url, headers=sent, stream=stream, extensions={"timeout": times})


class _Stream(httpx.SyncByteStream):
    def __init__(self, content: Iterator[bytes]) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        return self._content


def _read(transport: PooledTransport, request: httpx.Request) -> tuple[int, bytes]:
    response = transport.handle_request(request)
    try:
        return response.status_code, b"".join(bytes(piece) for piece in body_of(response))
    finally:
        response.close()


def _answering(answer: str | bytes) -> Callable[[Line], None]:
    def treat(line: Line) -> None:
        while line.head():
            line.send(answer)

    return treat


def _once(answer: str | bytes) -> Callable[[Line], None]:
    def treat(line: Line) -> None:
        line.head()
        line.send(answer)

    return treat


def test_requests_one_after_another_share_a_connection(
    transport: PooledTransport, serve: Serve
) -> None:
    with serve(_answering(_OK)) as server:
        for _ in range(5):
            assert _read(transport, _request("GET", server.url)) == (200, b"ok")
        assert server.connections == 1


def test_a_connection_that_was_opened_ahead_serves_the_next_request(
    transport: PooledTransport,
    serve: Serve,
) -> None:
    with serve(_answering(_OK)) as server:
        transport.warm(server.url, 10)
        assert _read(transport, _request("GET", server.url)) == (200, b"ok")
        assert server.connections == 1


def test_requests_at_once_have_a_connection_each(transport: PooledTransport, serve: Serve) -> None:
    with serve(_answering(_OK)) as server:
        first = transport.handle_request(_request("GET", server.url))
        second = transport.handle_request(_request("GET", server.url))
        first.close()
        second.close()
        assert server.connections == 2


def test_a_chunked_answer_read_to_its_end_leaves_the_connection_usable(
    transport: PooledTransport,
    serve: Serve,
) -> None:
    chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    with serve(_answering(chunked)) as server:
        for _ in range(3):
            assert _read(transport, _request("GET", server.url)) == (200, b"abc")
        assert server.connections == 1


def test_the_answer_to_a_head_with_a_length_leaves_the_connection_usable(
    transport: PooledTransport,
    serve: Serve,
) -> None:
    with serve(_answering("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")) as server:
        for _ in range(3):
            assert _read(transport, _request("HEAD", server.url)) == (200, b"")
        assert server.connections == 1


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_without_a_body_leaves_the_connection_usable(
    status: str, transport: PooledTransport, serve: Serve
) -> None:
    with serve(_answering(f"HTTP/1.1 {status}\r\n\r\n")) as server:
        for _ in range(3):
            assert _read(transport, _request("GET", server.url))[1] == b""
        assert server.connections == 1


def test_an_answer_that_is_not_read_to_its_end_costs_its_connection(
    transport: PooledTransport,
    serve: Serve,
) -> None:
    with serve(_answering("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfirst")) as server:
        for _ in range(2):
            response = transport.handle_request(_request("GET", server.url))
            assert bytes(next(body_of(response))) == b"first"
            response.close()
        assert server.connections == 2


def test_an_answer_that_says_close_is_the_last_on_its_connection(
    transport: PooledTransport,
    serve: Serve,
) -> None:
    answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    with serve(_answering(answer)) as server:
        for _ in range(2):
            assert _read(transport, _request("GET", server.url)) == (200, b"ok")
        assert server.connections == 2


def test_an_answer_without_a_length_ends_with_its_connection(
    transport: PooledTransport, serve: Serve
) -> None:
    with serve(_once("HTTP/1.1 200 OK\r\n\r\nall of it")) as server:
        for _ in range(2):
            assert _read(transport, _request("GET", server.url)) == (200, b"all of it")
        assert server.connections == 2


def test_a_connection_that_the_server_closed_while_idle_is_replaced(
    transport: PooledTransport,
    serve: Serve,
) -> None:
    with serve(_once(_OK)) as server:
        for _ in range(3):
            assert _read(transport, _request("GET", server.url)) == (200, b"ok")
            assert server.closed.acquire(timeout=10)
        assert server.connections == 3


def test_a_stream_does_not_go_to_a_connection_that_was_closed_while_idle(
    transport: PooledTransport,
    serve: Serve,
) -> None:
    with serve(_once(_OK)) as server:
        for _ in range(2):
            request = _request("PUT", server.url, iter([b"a"]), {"Content-Length": "1"})
            assert _read(transport, request) == (200, b"ok")
            assert server.closed.acquire(timeout=10)


def test_what_comes_while_a_connection_is_idle_is_no_answer(
    transport: PooledTransport, serve: Serve
) -> None:
    read, sent = threading.Event(), threading.Event()

    def treat(line: Line) -> None:
        line.head()
        line.send(_OK)
        assert read.wait(10)
        if line.number == 0:
            line.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            line.wait_until_delivered()
            sent.set()
            line.linger()

    with serve(treat) as server:
        assert _read(transport, _request("GET", server.url)) == (200, b"ok")
        read.set()
        assert sent.wait(10)
        assert _read(transport, _request("GET", server.url)) == (200, b"ok")


def _closes_at_the_second(line: Line) -> None:
    line.head()
    line.send(_OK)
    if line.number == 0:
        line.head()
    else:
        _answering(_OK)(line)


@pytest.mark.parametrize("content", [b"", b"small"])
def test_a_connection_that_closes_under_a_request_without_a_stream_is_replaced(
    content: bytes, transport: PooledTransport, serve: Serve
) -> None:
    with serve(_closes_at_the_second) as server:
        assert _read(transport, _request("GET", server.url)) == (200, b"ok")
        assert _read(transport, _request("PUT", server.url, content)) == (200, b"ok")
        assert server.connections == 2


def test_a_stream_is_never_sent_again_by_the_transport(
    transport: PooledTransport, serve: Serve
) -> None:
    given: list[bytes] = []

    def pieces() -> Iterator[bytes]:
        given.append(b"once")
        yield b"once"

    with serve(_closes_at_the_second) as server:
        assert _read(transport, _request("GET", server.url)) == (200, b"ok")
        request = _request("PUT", server.url, pieces(), {"Content-Length": "4"})
        with pytest.raises(httpx.TransportError):
            _read(transport, request)
        assert given == [b"once"]
        assert server.connections == 1


def test_a_new_connection_that_closes_without_an_answer_is_an_error(
    transport: PooledTransport,
    serve: Serve,
) -> None:
    with serve(_once("")) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            _read(transport, _request("GET", server.url))
        assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nshort\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nshort\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nshort\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nshort\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshortest\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nshort\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 4\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 4\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nshort",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 two hundred\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"\x00" * 100_000,
        "HTTP/1.1 200 OK\r\n" + "X-More: 1\r\n" * 50_000 + "\r\n",
        "HTTP/1.1 200 OK\r\nX-Long: " + "x" * 200_000 + "\r\n\r\n",
    ],
    ids=[
        "short",
        "chunks that stop",
        "a chunk that stops",
        "a chunk of no size",
        "a chunk of negative size",
        "a chunk with a sign",
        "a chunk in the spelling of C",
        "a chunk that is longer than it says",
        "more than chunks",
        "another coding than chunks",
        "two lengths",
        "two lengths in one",
        "a negative length",
        "a length in words",
        "a length with a sign",
        "another protocol",
        "a status in words",
        "a TLS alert",
        "zeros",
        "endless headers",
        "an endless header",
    ],
)
def test_an_answer_that_is_no_whole_http_is_a_protocol_error(
    answer: str | bytes, transport: PooledTransport, serve: Serve
) -> None:
    with serve(_once(answer)) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            _read(transport, _request("GET", server.url))
        with pytest.raises(httpx.RemoteProtocolError):
            _read(transport, _request("GET", server.url))
        assert server.connections == 2


@pytest.mark.parametrize("lengths", ["2\r\nContent-Length: 2", "2, 2"])
def test_the_same_length_twice_is_one_length(
    lengths: str, transport: PooledTransport, serve: Serve
) -> None:
    with serve(_answering(f"HTTP/1.1 200 OK\r\nContent-Length: {lengths}\r\n\r\nok")) as server:
        for _ in range(2):
            assert _read(transport, _request("GET", server.url)) == (200, b"ok")
        assert server.connections == 1


def test_chunks_count_beside_a_length_and_are_the_last_on_their_connection(
    transport: PooledTransport,
    serve: Serve,
) -> None:
    """RFC 9112, section 6.3: somebody on the way may have read the other one."""
    head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
    with serve(_answering(f"{head}5\r\nwhole\r\n0\r\n\r\n")) as server:
        for _ in range(2):
            assert _read(transport, _request("GET", server.url)) == (200, b"whole")
        assert server.connections == 2


def test_what_comes_after_an_answer_is_not_taken_for_the_next(
    transport: PooledTransport, serve: Serve
) -> None:
    smuggled = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    with serve(_answering(_OK + smuggled)) as server:
        for _ in range(3):
            assert _read(transport, _request("GET", server.url)) == (200, b"ok")


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\r\n\r\nGET /evil HTTP/1.1"])
def test_a_header_with_a_line_break_is_refused_and_nothing_is_injected(
    value: str, transport: PooledTransport, serve: Serve
) -> None:
    heads: list[list[str]] = []

    def treat(line: Line) -> None:
        while head := line.head():
            heads.append(head)
            line.send(_OK)

    with serve(treat) as server:
        request = _request("GET", server.url, headers={"X-Name": value})
        with pytest.raises((ValueError, httpx.TransportError)):
            _read(transport, request)
        _read(transport, _request("GET", server.url))
        assert "Evil" not in str(heads)
        assert "evil" not in str(heads)


@pytest.mark.parametrize("value", ["s3cret\n", "\r\ns3cret", "s3cret\0"])
def test_no_error_holds_a_header_that_cannot_be_sent(
    value: str, transport: PooledTransport, serve: Serve
) -> None:
    with serve(_answering(_OK)) as server:
        with pytest.raises(httpx.LocalProtocolError) as raised:
            _read(transport, _request("GET", server.url, headers={"Authorization": value}))
    shown = "".join(traceback.format_exception(raised.value))
    assert "s3cret" not in shown.replace(repr(value), "")
    assert raised.value.__context__ is None


def test_nothing_is_sent_that_the_request_does_not_hold(
    transport: PooledTransport, serve: Serve
) -> None:
    heads: list[list[str]] = []

    def treat(line: Line) -> None:
        heads.append(line.head())
        line.send(_OK)

    with serve(treat) as server:
        _read(transport, _request("GET", f"{server.url}a%2Fb?c=%3A", headers={"X-Own": "1"}))
        assert heads == [["GET /a%2Fb?c=%3A HTTP/1.1", f"Host: {server.address}", "X-Own: 1"]]


def _refusing(*, close: bool, thinks: float = 0.0) -> Callable[[Line], None]:
    """Answers 413 once it has the head and thought about it, and reads nothing of the body."""

    def treat(line: Line) -> None:
        line.head()
        time.sleep(thinks)
        line.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        if not close:
            line.linger()

    return treat


def _large(piece: int, count: int) -> Iterator[bytes]:
    block = bytes(piece)
    for _ in range(count):
        yield block


@pytest.mark.parametrize(("close", "thinks"), [(True, 0.0), (False, 0.0), (False, 0.3)])
@pytest.mark.parametrize(("piece", "count"), [(PIECE, 400), (100 * 1024 * 1024, 1)])
def test_an_early_refusal_of_a_large_body_is_returned_and_costs_the_connection(
    piece: int, count: int, close: bool, thinks: float, transport: PooledTransport, serve: Serve
) -> None:
    with serve(_refusing(close=close, thinks=thinks)) as server:
        for number in (1, 2):
            request = _request(
                "PUT",
                server.url,
                _large(piece, count),
                {"Content-Length": str(piece * count)},
                # Whoever waits for this clock, instead of the answer, waits for an hour.
                write=3600.0,
            )
            assert _read(transport, request) == (413, b"big")
            assert server.connections == number


_HINTS = "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"


@pytest.mark.parametrize("interim", ["HTTP/1.1 100 Continue\r\n\r\n", _HINTS, _HINTS * 5])
def test_an_interim_answer_is_not_taken_for_the_answer(
    interim: str, transport: PooledTransport, serve: Serve
) -> None:
    with serve(_answering(f"{interim}{_OK}")) as server:
        for _ in range(3):
            assert _read(transport, _request("GET", server.url))[0] == 200
        assert server.connections == 1


@pytest.mark.parametrize("interim", ["HTTP/1.1 100 Continue\r\n\r\n", _HINTS])
def test_an_interim_answer_in_the_midst_of_a_body_does_not_end_it(
    interim: str, transport: PooledTransport, serve: Serve
) -> None:
    size = 3 * PIECE

    def treat(line: Line) -> None:
        while line.head():
            line.send(interim)
            line.read(size)
            line.send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    def pieces() -> Iterator[bytes]:
        yield bytes(PIECE)
        yield bytes(2 * PIECE)

    with serve(treat) as server:
        headers = {"Content-Length": str(size)}
        for _ in range(2):
            request = _request("PUT", server.url, pieces(), headers)
            assert _read(transport, request) == (201, b"")
        assert server.connections == 1


def test_an_interim_answer_in_two_parts_in_the_midst_of_a_body_does_not_end_it(
    transport: PooledTransport, serve: Serve
) -> None:
    size = 16 * PIECE

    def treat(line: Line) -> None:
        while line.head():
            line.send(_HINTS[:20])
            line.wait_until_delivered()
            # More than the buffers of both ends hold, so that it is heard on the way.
            line.read(size - PIECE)
            line.send(_HINTS[20:])
            line.read(PIECE)
            line.send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    with serve(treat) as server:
        headers = {"Content-Length": str(size)}
        for _ in range(2):
            request = _request("PUT", server.url, _large(PIECE, 16), headers)
            assert _read(transport, request) == (201, b"")
        assert server.connections == 1


def test_interim_answers_without_end_are_an_error(transport: PooledTransport, serve: Serve) -> None:
    with serve(_answering(_HINTS * 500)) as server:
        with pytest.raises(httpx.RemoteProtocolError, match="interim"):
            _read(transport, _request("GET", server.url))


def _dripping(start: str, drop: str) -> Callable[[Line], None]:
    """Say `start` at once, and then `drop` again and again, five times within each clock."""

    def treat(line: Line) -> None:
        line.head()
        line.send(start)
        # For longer than a test may take, or until the client has gone.
        for _ in range(1000):
            line.send(drop)
            threading.Event().wait(_SOON / 5)

    return treat


_CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("", "HTTP/1.1 102 Processing\r\n\r\n"),
        ("HTTP/1.1 200 OK\r\nX: ", "x"),
        ("HTTP/1.1 100 Continue\r\nX: ", "x"),
        (f"{_CHUNKED}0\r\n", "X: x\r\n"),
        (f"{_CHUNKED}0\r\nX: ", "x"),
        (f"{_CHUNKED}2;x=", "x"),
    ],
    ids=["continue", "processing", "head", "interim head", "trailers", "trailer", "chunk head"],
)
def test_what_is_no_byte_of_a_body_does_not_start_the_clock_anew(
    start: str, drop: str, transport: PooledTransport, serve: Serve
) -> None:
    with serve(_dripping(start, drop)) as server:
        began = time.monotonic()
        with pytest.raises(httpx.ReadTimeout):
            _read(transport, _request("GET", server.url, read=_SOON))
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("start", [f"{_CHUNKED}0\r\n", _CHUNKED.replace("2\r\nok\r\n", "1;x=")])
def test_trailers_and_heads_of_chunks_without_end_are_an_error(
    start: str, transport: PooledTransport, serve: Serve
) -> None:
    def treat(line: Line) -> None:
        line.head()
        line.send(start)
        while True:
            line.send("x" * 65_536 if start.endswith("=") else "X: x\r\n" * 8192)

    with serve(treat) as server:
        with pytest.raises(httpx.RemoteProtocolError, match="not HTTP"):
            _read(transport, _request("GET", server.url))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("digits", [20, 5000])
def test_a_length_that_is_no_length_is_an_error(
    method: str, digits: int, transport: PooledTransport, serve: Serve
) -> None:
    with serve(_answering(f"HTTP/1.1 200 OK\r\nContent-Length: {'9' * digits}\r\n\r\n")) as server:
        with pytest.raises(httpx.RemoteProtocolError, match="not HTTP"):
            _read(transport, _request(method, server.url))


def _silent(line: Line) -> None:
    """Reads nothing and says nothing until the client has gone."""
    line.head()
    line.linger()


def test_a_server_that_stops_reading_is_a_write_timeout(
    transport: PooledTransport, serve: Serve
) -> None:
    with serve(_silent) as server:
        request = _request(
            "PUT",
            server.url,
            _large(PIECE, 400),
            {"Content-Length": str(PIECE * 400)},
            write=_SOON,
            # Whoever takes a ticket of TLS for an answer waits for its end.
            read=3600.0,
        )
        with pytest.raises(httpx.WriteTimeout):
            _read(transport, request)


def test_a_server_that_reads_slowly_gets_all_of_a_large_piece(
    transport: PooledTransport, serve: Serve
) -> None:
    """The whole takes longer than the clock allows without progress."""
    size = 24 * PIECE

    def treat(line: Line) -> None:
        line.head()
        left = size
        while left:
            left -= len(line.read(min(left, PIECE)))
            time.sleep(0.04)
        line.send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    with serve(treat) as server:
        headers = {"Content-Length": str(size)}
        request = _request("PUT", server.url, iter([bytes(size)]), headers, write=0.4)
        assert _read(transport, request) == (201, b"")


def test_a_line_that_is_slow_but_steady_is_no_stalled_one(
    transport: PooledTransport, serve: Serve
) -> None:
    """The system calls a socket writable when a third of its buffer is free: that takes longer."""
    size, step, steps = 16 * 1024 * 1024, 64 * 1024, 12

    def treat(line: Line) -> None:
        line.head()
        line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, step)
        # Read fast first, so that the client's buffer grows.
        line.read(size // 2)
        for _ in range(steps):
            line.read(step)
            time.sleep(0.1)
        line.read(size // 2 - steps * step)
        line.send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    with serve(treat) as server:
        headers = {"Content-Length": str(size)}
        request = _request("PUT", server.url, iter([bytes(size)]), headers, write=0.3)
        assert _read(transport, request) == (201, b"")


def test_a_server_that_never_answers_is_a_read_timeout(
    transport: PooledTransport, serve: Serve
) -> None:
    with serve(_silent) as server:
        with pytest.raises(httpx.ReadTimeout):
            _read(transport, _request("GET", server.url, read=_SOON))


def test_an_answer_that_stops_in_its_middle_is_a_read_timeout(
    transport: PooledTransport, serve: Serve
) -> None:
    def treat(line: Line) -> None:
        line.head()
        line.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        line.linger()

    with serve(treat) as server:
        with pytest.raises(httpx.ReadTimeout):
            _read(transport, _request("GET", server.url, read=_SOON))


def test_a_port_where_nobody_listens_is_a_connect_error(transport: PooledTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(httpx.ConnectError):
        _read(transport, _request("GET", f"http://127.0.0.1:{port}/"))


def test_a_large_body_comes_whole_though_each_piece_lives_only_until_the_next(
    transport: PooledTransport,
    serve: Serve,
) -> None:
    content = b"".join(number.to_bytes(4, "big") for number in range(2_000_003))
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    with serve(_once(head + content)) as server:
        response = transport.handle_request(_request("GET", server.url))
        hasher, largest = hashlib.sha256(), 0
        for piece in body_of(response):
            hasher.update(piece)
            largest = max(largest, len(piece))
        response.close()
    assert hasher.digest() == hashlib.sha256(content).digest()
    assert largest <= PIECE


def test_much_that_is_read_at_once_is_read_in_smaller_pieces(
    transport: PooledTransport, serve: Serve
) -> None:
    content = bytes(4 * PIECE)
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    with serve(_answering(head + content)) as server, ExitStack() as stack:
        bodies = []
        for _ in range(20):
            response = transport.handle_request(_request("GET", server.url))
            stack.callback(response.close)
            bodies.append(body_of(response))
        lent = []
        for body in bodies:
            with transport.buffer(4 * PIECE) as following:
                lent.append(len(following))
            next(body)
        assert lent == [PIECE] + [PIECE // 4] * 7 + [PIECE // 16] * 12
        for body in bodies:
            assert sum(len(piece) for piece in body) < len(content)
        with transport.buffer(4 * PIECE) as first:
            assert len(first) == PIECE


def test_a_large_body_arrives_whole(transport: PooledTransport, serve: Serve) -> None:
    content = b"".join(number.to_bytes(4, "big") for number in range(1_000_003))
    arrived: list[bytes] = []

    def treat(line: Line) -> None:
        line.head()
        arrived.append(line.read(len(content)))
        line.send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    pieces = (content[at : at + PIECE] for at in range(0, len(content), PIECE))
    with serve(treat) as server:
        request = _request("PUT", server.url, pieces, {"Content-Length": str(len(content))})
        assert _read(transport, request) == (201, b"")
    assert arrived == [content]


@pytest.mark.parametrize("error", [ValueError("mine"), OSError("mine"), TimeoutError("mine")])
def test_what_a_body_raises_comes_through_as_it_is(
    error: Exception, transport: PooledTransport, serve: Serve
) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise error

    def treat(line: Line) -> None:
        line.head()
        line.read(8)

    with serve(treat) as server:
        with pytest.raises(type(error)) as raised:
            _read(transport, _request("PUT", server.url, pieces(), {"Content-Length": "8"}))
        assert raised.value is error
        assert server.closed.acquire(timeout=10), "its connection was not closed"


def test_the_round_trip_is_that_of_the_request_alone(
    transport: PooledTransport, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    dial, slow = Dialer.dial, 0.3

    def slowly(self: Dialer, *wanted: Any) -> Stream:
        time.sleep(slow)
        return dial(self, *wanted)

    monkeypatch.setattr(Dialer, "dial", slowly)
    with serve(_answering(_OK)) as server:
        response = transport.handle_request(_request("GET", server.url))
        response.close()
        assert 0 < response.extensions["round_trip"] < slow


def test_idle_connections_are_bounded_over_all_origins(
    transport: PooledTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regimport.transport.pool._MOST_IDLE", 2)
    with ExitStack() as stack:
        servers = [stack.enter_context(peer(_answering(_OK))) for _ in range(3)]
        for server in servers:
            assert _read(transport, _request("GET", server.url)) == (200, b"ok")
        assert servers[0].closed.acquire(timeout=10)
        for server in servers[1:]:
            assert _read(transport, _request("GET", server.url)) == (200, b"ok")
            assert server.connections == 1


def test_close_ends_the_connections_that_are_idle(transport: PooledTransport, serve: Serve) -> None:
    with serve(_answering(_OK)) as server:
        _read(transport, _request("GET", server.url))
        transport.close()
        assert server.closed.acquire(timeout=10)


@pytest.fixture
def tls(authority: trustme.CA) -> Iterator[Peer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with peer(_answering(_OK), context) as server:
        yield server


def test_a_certificate_of_an_authority_in_ssl_cert_file_is_trusted(
    tls: Peer, ca_file: Path, transport: PooledTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    for _ in range(3):
        assert _read(transport, _request("GET", tls.url)) == (200, b"ok")
    assert tls.connections == 1


def test_an_unknown_authority_is_an_error_that_says_so(
    tls: Peer, transport: PooledTransport
) -> None:
    with pytest.raises(httpx.ConnectError) as raised:
        _read(transport, _request("GET", tls.url))
    assert isinstance(raised.value.__cause__, ssl.SSLCertVerificationError)


def test_a_certificate_for_another_name_is_an_error_that_says_so(
    authority: trustme.CA,
    ca_file: Path,
    transport: PooledTransport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example").configure_cert(context)
    with peer(_answering(_OK), context) as server:
        with pytest.raises(httpx.ConnectError) as raised:
            _read(transport, _request("GET", server.url))
    assert isinstance(raised.value.__cause__, ssl.SSLCertVerificationError)


def test_https_at_a_plain_port_is_a_connect_error(transport: PooledTransport) -> None:
    with peer(lambda line: line.send("HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        with pytest.raises(httpx.ConnectError) as raised:
            _read(transport, _request("GET", f"https://{server.address}/"))
    assert isinstance(raised.value.__cause__, ssl.SSLError)


def test_what_has_come_over_tls_is_given_at_once_however_many_records_it_is(
    authority: trustme.CA,
    ca_file: Path,
    transport: PooledTransport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    content, sent = bytes(2 * 16 * 1024 + 100), threading.Event()

    def treat(line: Line) -> None:
        line.head()
        line.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n\r\n")
        line.send(content)
        sent.set()
        line.linger()

    with peer(treat, context) as server:
        response = transport.handle_request(_request("GET", server.url))
        assert sent.wait(10)
        assert [len(piece) for piece in body_of(response)] == [len(content)]
        response.close()
