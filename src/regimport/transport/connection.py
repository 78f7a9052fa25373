"""One connection to a registry, or to a proxy before it."""

from __future__ import annotations

import http.client
import re
import select
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import cast

from regimport.redact import safe_text
from regimport.transport.dial import Dialer
from regimport.transport.proxy import Proxy, ProxyError
from regimport.transport.wire import (
    ConnectError,
    ConnectTimeout,
    ProtocolError,
    ReadError,
    ReadTimeout,
    TransportError,
    WireRequest,
    WriteError,
    WriteTimeout,
    words_of,
)

__all__ = ["CLOSED", "Connection", "Origin", "mapped"]

Origin = tuple[str, str, int]
# An answer that announces another; 101 does not (RFC 9110, section 15.2).
_INTERIM = re.compile(rb"HTTP/1\.[01] 1(?!01)[0-9]{2}\b")
_SWITCHED = http.HTTPStatus.SWITCHING_PROTOCOLS
_MOST_INTERIM = 100
_HEAD_BYTES = 8192
CLOSED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class Connection:
    """One connection, and one request on it at a time."""

    def __init__(self, origin: Origin, dialer: Dialer, timeout: float | None) -> None:
        scheme, host, port = origin
        with mapped(ConnectError, ConnectTimeout):
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

    @property
    def holds_more(self) -> bool:
        """Whether another read would give more at once: with TLS each gives 16 KiB at most."""
        return self._encrypted and self._readable()

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
        with mapped(WriteError, WriteTimeout):
            try:
                self._send_head(request, target, small)
            except OSError:
                self._raise_alert()
                raise
        if not isinstance(request.body, bytes):
            self._send_stream(request.body)
        self._socket.settimeout(request.clocks.read)
        with mapped(ReadError, ReadTimeout):
            answer = _final(self._http.getresponse())
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
            try:
                with mapped(WriteError, WriteTimeout):
                    if not self._send_piece(piece):
                        self.reusable = False
                        return
            except (WriteError, WriteTimeout, ProtocolError):
                self.reusable = False
                if self._readable():
                    return
                raise

    def _send_piece(self, piece: bytes) -> bool:
        """Send a piece; gives False if the peer answers before, as it will not read the rest then.

        Not with sendall, whose clock runs on while the peer takes some of it.
        """
        rest = memoryview(piece)
        while rest:
            # With TLS, what can be read need not be an answer; there a failing write has to tell.
            if not self._encrypted and self._answers():
                return False
            rest = rest[self._socket.send(rest) :]
        return True

    def _answers(self) -> bool:
        """Wait until the peer takes more or says something, and tell whether it says something."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLOUT)
        patience = self._socket.gettimeout()
        events = poll.poll(None if patience is None else patience * 1000)
        if not events:
            raise TimeoutError("timed out")
        return any(event != select.POLLOUT for _, event in events) and not self._skip_interim()

    def _skip_interim(self) -> bool:
        """Take an interim answer off the connection; gives False if what has come is another."""
        head = self._socket.recv(_HEAD_BYTES, socket.MSG_PEEK)
        if _INTERIM.match(head) is None:
            return False
        end = head.find(b"\r\n\r\n")
        if end >= 0:
            self._socket.recv(end + 4)
        return True

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


def _final(answer: http.client.HTTPResponse) -> http.client.HTTPResponse:
    """Read on until the answer is no interim one; of these, http.client knows 100 alone."""
    for _ in range(_MOST_INTERIM):
        if answer.status >= http.HTTPStatus.OK or answer.status == _SWITCHED:
            return answer
        # What was read of it is forgotten, and its successor is read in its place.
        answer.headers = cast("http.client.HTTPMessage", None)
        answer.begin()
    raise ProtocolError(f"more than {_MOST_INTERIM} interim answers came")


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
def mapped(failed: type[TransportError], late: type[TransportError]) -> Iterator[None]:
    """Turn what the standard library raises into those of transports."""
    try:
        yield
    except TimeoutError as error:
        raise late(str(error) or "timed out") from error
    except (http.client.HTTPException, *CLOSED) as error:
        if failed is ConnectError:
            raise failed(words_of(error)) from error
        raise ProtocolError(_words(error)) from error
    except OSError as error:
        raise failed(words_of(error)) from error


def _words(error: Exception) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return f"the answer broke off {error.expected} bytes before its end"
    text = safe_text(str(error), 100) or type(error).__name__
    if isinstance(error, http.client.BadStatusLine) and not isinstance(error, CLOSED):
        return f"what it says is not HTTP: {text}"
    return text
