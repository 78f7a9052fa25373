"""The connections to registries: what carries requests, and how long it waits.

httpx's interface over the standard library's connections, which costs a quarter of httpx's own
stack for a request and a third for a large body: pieces are read into one buffer and sent from
it. It adds nothing to a request: no cookies, no redirects, no credentials, no proxies.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import cast

import httpx

__all__ = ["PIECE", "Transport"]

# The most that is handed on at once, in bytes; each job has so much in memory, and larger pieces
# measured no faster.
PIECE = 256 * 1024

_Origin = tuple[str, str, int]
_CLOSED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class Transport(httpx.BaseTransport):
    """Pooled HTTP/1.1 connections; TLS is set up when the first https request is made.

    A piece of a body that `handle_request`'s response gives is good until the next is asked for.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[_Origin, list[_Connection]] = {}
        self._context: ssl.SSLContext | None = None
        self._closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; raises `httpx.TransportError`, and whatever its body raises."""
        origin = _origin(request.url)
        clocks = request.extensions.get("timeout", {})
        connection = self._take(origin)
        if connection is not None:
            try:
                return self._exchange(connection, origin, request)
            except httpx.RemoteProtocolError as error:
                # It died while idle; what has no streaming body can go again at once.
                if not isinstance(error.__cause__, _CLOSED) or not _repeatable(request):
                    raise
        context = self._tls() if origin[0] == "https" else None
        connection = _Connection(origin, context, clocks.get("connect"))
        return self._exchange(connection, origin, request)

    def close(self) -> None:
        """Close the connections that are idle now, and the others when they become so."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.close()

    def _exchange(
        self, connection: _Connection, origin: _Origin, request: httpx.Request
    ) -> httpx.Response:
        try:
            answer = connection.exchange(request)
        except BaseException:
            connection.close()
            raise
        return httpx.Response(
            answer.status,
            headers=[(k.encode("latin-1"), v.encode("latin-1")) for k, v in answer.getheaders()],
            stream=_Body(self, connection, origin, answer, head=request.method == "HEAD"),
        )

    def _take(self, origin: _Origin) -> _Connection | None:
        while True:
            with self._lock:
                idle = self._idle.get(origin)
                connection = idle.pop() if idle else None
            if connection is None or connection.quiet:
                return connection
            connection.close()

    def give_back(self, origin: _Origin, connection: _Connection) -> None:
        """Keep a connection for the next request to its origin."""
        with self._lock:
            if not self._closed:
                self._idle.setdefault(origin, []).append(connection)
                return
        connection.close()

    def _tls(self) -> ssl.SSLContext:
        with self._lock:
            if self._context is None:
                # OpenSSL's own defaults, so that SSL_CERT_FILE and SSL_CERT_DIR count.
                self._context = ssl.create_default_context()
            return self._context


class _Connection:
    """One connection, and one request on it at a time."""

    def __init__(
        self, origin: _Origin, context: ssl.SSLContext | None, timeout: float | None
    ) -> None:
        scheme, host, port = origin
        if scheme == "https":
            self._http: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=timeout, context=context
            )
        else:
            self._http = http.client.HTTPConnection(host, port, timeout=timeout)
        with _mapped(httpx.ConnectError, httpx.ConnectTimeout):
            self._http.connect()
        self._socket: socket.socket = self._http.sock
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._encrypted = scheme == "https"
        self.reusable = True

    @property
    def quiet(self) -> bool:
        """Whether nothing has come while it was idle; what comes then is its end."""
        return not self._readable()

    def close(self) -> None:
        """Close it, whatever it is at."""
        self._http.close()

    def exchange(self, request: httpx.Request) -> http.client.HTTPResponse:
        """Send a request whole, and read the head of the answer."""
        clocks = request.extensions.get("timeout", {})
        self._socket.settimeout(clocks.get("write"))
        with _mapped(httpx.WriteError, httpx.WriteTimeout):
            self._send_head(request)
        self._send_body(request)
        self._socket.settimeout(clocks.get("read"))
        with _mapped(httpx.ReadError, httpx.ReadTimeout):
            answer = self._http.getresponse()
        _check_framing(answer)
        return answer

    def _send_head(self, request: httpx.Request) -> None:
        target = request.url.raw_path.decode("ascii")
        self._http.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.raw:
            self._http.putheader(name, value)
        self._http.endheaders()

    def _send_body(self, request: httpx.Request) -> None:
        """Send the body; an answer that comes before its end stops it."""
        assert isinstance(request.stream, Iterable)
        for piece in request.stream:
            if not piece:
                continue
            if not self._encrypted and self._readable():
                # It answers before it has read all: it will not read the rest. (With TLS, what
                # can be read need not be an answer; there the failing write has to tell.)
                self.reusable = False
                return
            try:
                with _mapped(httpx.WriteError, httpx.WriteTimeout):
                    self._socket.sendall(piece)
            except (httpx.WriteError, httpx.WriteTimeout, httpx.RemoteProtocolError):
                self.reusable = False
                if self._readable():
                    return
                raise

    def _readable(self) -> bool:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))


class _Body(httpx.SyncByteStream):
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

    def __iter__(self) -> Iterator[bytes]:
        with _mapped(httpx.ReadError, httpx.ReadTimeout):
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
        if answer.length is None:
            while piece := answer.read1(PIECE):
                yield piece
            return
        left = answer.length
        buffer = memoryview(bytearray(min(PIECE, left)))
        while left:
            count = answer.fp.readinto1(buffer[: min(PIECE, left)])
            if not count:
                raise http.client.IncompleteRead(b"", left)
            left -= count
            # Typed as httpx does; what reads it takes any buffer.
            yield cast("bytes", buffer[:count])


def _origin(url: httpx.URL) -> _Origin:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def _repeatable(request: httpx.Request) -> bool:
    return isinstance(request.stream, httpx.ByteStream)


def _check_framing(answer: http.client.HTTPResponse) -> None:
    """Refuse an answer that says in two ways how long it is (RFC 9112, section 6.3)."""
    lengths = set(answer.headers.get_all("content-length", ()))
    if len(lengths) > 1 or (lengths and "transfer-encoding" in answer.headers):
        raise httpx.RemoteProtocolError("the answer says in two ways how long it is")
    if any(not length.strip().isdecimal() for length in lengths):
        raise httpx.RemoteProtocolError("the answer's Content-Length is no number")


@contextmanager
def _mapped(failed: type[httpx.TransportError], late: type[httpx.TransportError]) -> Iterator[None]:
    """Turn what the standard library raises into httpx's exceptions."""
    try:
        yield
    except TimeoutError as error:
        raise late(str(error) or "timed out") from error
    except (http.client.HTTPException, *_CLOSED) as error:
        if failed is httpx.ConnectError:
            raise failed(str(error)) from error
        raise httpx.RemoteProtocolError(_words(error)) from error
    except OSError as error:
        raise failed(str(error)) from error


def _words(error: Exception) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return f"the answer broke off {error.expected} bytes before its end"
    return str(error) or type(error).__name__
