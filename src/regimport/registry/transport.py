"""The connections to registries: what carries requests, and how long it waits.

Over the standard library's connections, which cost a quarter of httpx's own stack for a request
and a third for a large body: pieces are read into one buffer and sent from it. It adds nothing to
a request: no cookies, no redirects, no credentials.
"""

from __future__ import annotations

import http.client
import select
import socket
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import cast
from urllib.parse import urlsplit

from regimport.redact import safe_text
from regimport.registry.dial import Dialer
from regimport.registry.proxy import Proxy, ProxyError
from regimport.registry.wire import (
    Clocks,
    ConnectError,
    ConnectTimeout,
    Headers,
    ProtocolError,
    ReadError,
    ReadTimeout,
    TransportError,
    WireRequest,
    WireResponse,
    WriteError,
    WriteTimeout,
)

__all__ = ["PIECE", "Transport"]

# The most that is handed on at once, in bytes. Large pieces cost less CPU; where much is read at
# once they are smaller, so that all of them together take no more memory.
PIECE = 1024 * 1024
_SMALL_PIECE = PIECE // 4
_FEW_BODIES = 8

_Origin = tuple[str, str, int]
_CLOSED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class Transport:
    """Pooled HTTP/1.1 connections; TLS is set up when the first https request is made.

    A piece of an answer's body is good until the next is asked for.
    """

    def __init__(self, dialer: Dialer | None = None) -> None:
        self._dialer = dialer or Dialer()
        self._lock = threading.Lock()
        self._idle: dict[_Origin, list[_Connection]] = {}
        self._made: weakref.WeakSet[_Connection] = weakref.WeakSet()
        self._closed = False
        self._lent = 0

    def send(self, request: WireRequest) -> WireResponse:
        """Send a request; raises `TransportError`, and whatever its body raises."""
        origin, target = _parts(request.url)
        connection = self._take(origin)
        if connection is not None:
            try:
                return self._exchange(connection, origin, target, request)
            except ProtocolError as error:
                # It died while idle; what has no streaming body can go again at once.
                if not isinstance(error.__cause__, _CLOSED) or not _repeatable(request):
                    raise
        connection = self._open(origin, request.clocks)
        return self._exchange(connection, origin, target, request)

    def warm(self, url: str, clocks: Clocks) -> None:
        """Open a connection ahead of need, where a request for `url` will find it."""
        origin, _ = _parts(url)
        self.give_back(origin, self._open(origin, clocks))

    def close(self) -> None:
        """Close the connections that are idle now, and the others when they become so."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.close()

    def abort(self) -> None:
        """Close all connections; whoever moves a large body on one gets a `TransportError`.

        Small requests are left to their answers: what one has begun at a registry would be lost.
        """
        self.close()
        with self._lock:
            made = list(self._made)
        for connection in made:
            connection.abort()

    def _exchange(
        self, connection: _Connection, origin: _Origin, target: str, request: WireRequest
    ) -> WireResponse:
        try:
            answer = connection.exchange(request, target)
        except BaseException:
            connection.close()
            raise
        body = _Body(self, connection, origin, answer, head=request.method == "HEAD")
        return WireResponse(request, answer.status, Headers(answer.getheaders()), body)

    def _open(self, origin: _Origin, clocks: Clocks) -> _Connection:
        connection = _Connection(origin, self._dialer, clocks.connect)
        with self._lock:
            self._made.add(connection)
        return connection

    def _take(self, origin: _Origin) -> _Connection | None:
        while True:
            with self._lock:
                idle = self._idle.get(origin)
                connection = idle.pop() if idle else None
            if connection is None or connection.quiet:
                return connection
            connection.close()

    @contextmanager
    def buffer(self, size: int) -> Iterator[memoryview]:
        """Lend what a body of `size` bytes is read into, piece by piece."""
        with self._lock:
            self._lent += 1
            most = PIECE if self._lent <= _FEW_BODIES else _SMALL_PIECE
        try:
            yield memoryview(bytearray(min(most, size)))
        finally:
            with self._lock:
                self._lent -= 1

    def give_back(self, origin: _Origin, connection: _Connection) -> None:
        """Keep a connection for the next request to its origin."""
        with self._lock:
            if not self._closed:
                self._idle.setdefault(origin, []).append(connection)
                return
        connection.close()


class _Connection:
    """One connection, and one request on it at a time."""

    def __init__(self, origin: _Origin, dialer: Dialer, timeout: float | None) -> None:
        scheme, host, port = origin
        with _mapped(ConnectError, ConnectTimeout):
            self._socket: socket.socket = dialer.dial(scheme, host, port, timeout)
        self._http = http.client.HTTPConnection(host, port)
        self._http.sock = self._socket
        self._forwarder = dialer.forwarder(scheme, host, port)
        self._encrypted = scheme == "https"
        self.reusable = True
        self.moving = False

    @property
    def quiet(self) -> bool:
        """Whether nothing has come while it was idle; what comes then is its end."""
        return not self._readable()

    def close(self) -> None:
        """Close it, whatever it is at."""
        self._http.close()

    def abort(self) -> None:
        """End it from another thread, if it moves a large body."""
        if self.moving:
            with suppress(OSError):
                # Not as TLS would: its state belongs to the thread that is using it.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def exchange(self, request: WireRequest, target: str) -> http.client.HTTPResponse:
        """Send a request whole, and read the head of the answer."""
        self._socket.settimeout(request.clocks.write)
        self.moving = not isinstance(request.body, bytes)
        small = request.body if isinstance(request.body, bytes) else b""
        with _mapped(WriteError, WriteTimeout):
            try:
                self._send_head(request, target, small)
            except OSError:
                self._raise_alert()
                raise
        if not isinstance(request.body, bytes):
            self._send_stream(request.body)
        self._socket.settimeout(request.clocks.read)
        with _mapped(ReadError, ReadTimeout):
            answer = self._http.getresponse()
        try:
            _check_framing(answer)
            if self._forwarder is not None:
                _check_forwarded(answer, self._forwarder)
        except TransportError:
            # An answer that ends its connection has that for itself.
            answer.close()
            raise
        return answer

    def _send_head(self, request: WireRequest, target: str, body: bytes) -> None:
        if self._forwarder is not None:
            # RFC 9112, section 3.2.2: a proxy is told the whole URL.
            target = request.url
        self._http.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():
            self._http.putheader(name, value)
        if self._forwarder is not None and self._forwarder.authorization is not None:
            self._http.putheader("Proxy-Authorization", self._forwarder.authorization)
        self._http.endheaders(body or None)

    def _send_stream(self, stream: Iterable[bytes]) -> None:
        """Send a body piece by piece; an answer that comes before its end stops it."""
        for piece in stream:
            if not piece:
                continue
            if not self._encrypted and self._readable():
                # It answers before it has read all: it will not read the rest. (With TLS, what
                # can be read need not be an answer; there the failing write has to tell.)
                self.reusable = False
                return
            try:
                with _mapped(WriteError, WriteTimeout):
                    self._send_piece(piece)
            except (WriteError, WriteTimeout, ProtocolError):
                self.reusable = False
                if self._readable():
                    return
                raise

    def _send_piece(self, piece: bytes) -> None:
        """Send a piece; not with sendall, whose clock runs on while the peer takes some of it."""
        rest = memoryview(piece)
        while rest:
            rest = rest[self._socket.send(rest) :]

    def _raise_alert(self) -> None:
        """Raise the reason that the peer gave for closing, if it came in an alert of TLS.

        A server that misses a client's certificate says so only after the handshake (RFC 8446,
        section 4.4.2.4), and may be gone before the request is sent.
        """
        if self._encrypted and self._readable():
            self._socket.recv(1)

    def _readable(self) -> bool:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))


class _Body:
    """The body of an answer; its connection is kept if it was read to its end."""

    def __init__(
        self,
        transport: Transport,
        connection: _Connection,
        origin: _Origin,
        answer: http.client.HTTPResponse,
        *,
        head: bool,
    ) -> None:
        self._transport = transport
        self._connection = connection
        self._origin = origin
        self._answer = answer
        self._done = head or answer.length == 0
        self._open = True

    def pieces(self) -> Iterator[bytes]:
        """Give the bytes as they come, in one buffer that is used again."""
        with _mapped(ReadError, ReadTimeout):
            yield from self._pieces()
        self._done = True

    def close(self) -> None:
        """Let go of the connection."""
        if not self._open:
            return
        self._open = False
        keep = self._done and self._connection.reusable and not self._answer.will_close
        self._answer.close()
        if keep:
            self._transport.give_back(self._origin, self._connection)
        else:
            self._connection.close()

    def _pieces(self) -> Iterator[bytes]:
        answer = self._answer
        if self._done:
            return
        self._connection.moving = True
        if answer.length is None:
            while piece := answer.read1(_SMALL_PIECE):
                yield piece
            return
        left = answer.length
        with self._transport.buffer(left) as buffer:
            while left:
                count = answer.fp.readinto1(buffer[: min(len(buffer), left)])
                if not count:
                    raise http.client.IncompleteRead(b"", left)
                left -= count
                # Typed as bytes: what reads it takes any buffer.
                yield cast("bytes", buffer[:count])


def _parts(url: str) -> tuple[_Origin, str]:
    """Give the origin of a URL, and the target of a request for it (RFC 9112, section 3.2.1)."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    return (parts.scheme, parts.hostname or "", port), target


def _repeatable(request: WireRequest) -> bool:
    return isinstance(request.body, bytes)


def _check_framing(answer: http.client.HTTPResponse) -> None:
    """Refuse an answer that says in two ways how long it is (RFC 9112, section 6.3)."""
    lengths = set(answer.headers.get_all("content-length", ()))
    if len(lengths) > 1 or (lengths and "transfer-encoding" in answer.headers):
        raise ProtocolError("the answer says in two ways how long it is")
    if any(not length.strip().isdecimal() for length in lengths):
        raise ProtocolError("the answer's Content-Length is no number")


def _check_forwarded(answer: http.client.HTTPResponse, proxy: Proxy) -> None:
    """Raise `ProxyError` for what a proxy says of itself (RFC 9110, section 15.5.8)."""
    if answer.status == http.HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        raise ProxyError(proxy, answer.status, f"{answer.status} {safe_text(answer.reason, 100)}")


@contextmanager
def _mapped(failed: type[TransportError], late: type[TransportError]) -> Iterator[None]:
    """Turn what the standard library raises into those of transports."""
    try:
        yield
    except TimeoutError as error:
        raise late(str(error) or "timed out") from error
    except (http.client.HTTPException, *_CLOSED) as error:
        if failed is ConnectError:
            raise failed(str(error)) from error
        raise ProtocolError(_words(error)) from error
    except OSError as error:
        raise failed(str(error)) from error


def _words(error: Exception) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return f"the answer broke off {error.expected} bytes before its end"
    text = safe_text(str(error), 100) or type(error).__name__
    if isinstance(error, http.client.BadStatusLine) and not isinstance(error, _CLOSED):
        return f"what it says is not HTTP: {text}"
    return text
