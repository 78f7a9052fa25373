"""One connection, and the HTTP/1.1 on it: one request at a time, and the head of its answer.

h11 reads and checks heads and chunks (RFC 9112). Bodies whose length is known do not pass through
it: they go from the socket to the reader in one buffer, which costs a third of the time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import h11
import httpx

from regimport.redact import safe_text
from regimport.transport.heads import check_length
from regimport.transport.proxy import Proxy, ProxyError
from regimport.transport.request_head import BodyFraming, encode_head
from regimport.transport.socket_errors import MapSocketErrors
from regimport.transport.stream import Stream

__all__ = ["Connection"]

# What an answer's head, one interim answer or the trailers may have, in bytes; and how many interim
# answers may come. Go's client stops at 1 MiB and 5; no registry is near either.
_HEAD_BYTES = 128 * 1024
_MOST_INTERIM = 100
_READ = 64 * 1024
# A small body goes out in one piece with its head.
_SMALL = 64 * 1024
_PROXY_AUTHENTICATION_REQUIRED = 407
# What h11 is told of a request: its method decides how the answer is read, nothing else does.
_REQUESTS = {
    method: h11.Request(method=method, target="/", headers=[("Host", "h")])
    for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
}


class Connection:
    """One connection to an origin, or to the proxy that forwards to it.

    `reusable` says whether another request may follow; `left` is what has come behind the head of
    the answer.
    """

    def __init__(self, stream: Stream, forwarder: Proxy | None = None) -> None:
        self.stream = stream
        self.reusable = True
        self.moving = False
        self.left = memoryview(b"")
        self._forwarder = forwarder
        self._buffer = memoryview(bytearray(_READ))
        self._http: h11.Connection
        self._interim = 0
        self._last_write = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether it is still open and silent; data that nobody asked for means its end."""
        try:
            return self.stream.receive_ready(self._buffer) is None
        except OSError:
            return False

    def close(self) -> None:
        """Close it, whatever it is at."""
        self.stream.close()

    def abort(self) -> None:
        """End it from another thread, if it moves a large body."""
        if self.moving:
            self.stream.abort()

    def exchange(self, request: httpx.Request) -> tuple[h11.Response, float]:
        """Send a request whole, and read the head of its answer.

        Return the head, and the seconds from the request's last bytes to the answer's first. The
        clock for the answer runs until its head is whole: interim answers, and parts of a head, do
        not start it anew. Raise `httpx.TransportError`, and whatever the request's body raises.
        """
        clocks = request.extensions.get("timeout", {})
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES)
        self._http.send(_REQUESTS.get(request.method, _REQUESTS["GET"]))
        self._interim = 0
        self.left = memoryview(b"")
        answer = self._send(request, clocks.get("write"))
        with MapSocketErrors(httpx.ReadError, httpx.ReadTimeout):
            latest = _latest(clocks.get("read"))
            while answer is None:
                self._receive(latest)
                answer = self._next_head()
        check_length(answer)
        took = time.monotonic() - self._last_write
        self._check(answer)
        self.left = memoryview(self._http.trailing_data[0])
        return answer, took

    def events(self, timeout: float | None) -> Iterator[bytes]:
        """Yield a body without a length, piece by piece; raise `httpx.TransportError`.

        Only bytes of the body start the clock anew, not those of what stands around its chunks.
        """
        with MapSocketErrors(httpx.ReadError, httpx.ReadTimeout):
            latest = _latest(timeout)
            while True:
                event = self._event()
                if isinstance(event, h11.Data):
                    yield bytes(event.data)
                    latest = _latest(timeout)
                elif isinstance(event, h11.EndOfMessage):
                    self.left = memoryview(self._http.trailing_data[0])
                    return
                elif event is h11.NEED_DATA:
                    self._receive(latest)
                else:
                    raise httpx.RemoteProtocolError("the answer is not HTTP")

    def _send(self, request: httpx.Request, timeout: float | None) -> h11.Response | None:
        """Send a request; return the head of an answer that comes before its end."""
        stream = request.stream
        if not isinstance(stream, httpx.SyncByteStream):
            raise httpx.LocalProtocolError("the body of a request must be a synchronous stream")
        self.moving = not isinstance(stream, httpx.ByteStream)
        framing = BodyFraming(request.headers)
        # Copied, since a piece is good only until the next is asked for.
        waiting = encode_head(request, self._forwarder)
        for piece in stream:
            parts = framing.encode(piece)
            if len(waiting) + len(piece) <= _SMALL:
                waiting = b"".join((waiting, *parts))
                continue
            self._write_all(waiting, timeout)
            waiting = b""
            self._last_write = time.monotonic()
            for part in parts:
                if (answer := self._write(memoryview(part), timeout)) is not None:
                    return answer
        self._last_write = time.monotonic()
        self._write_all(waiting + framing.end(), timeout)
        return None

    def _write_all(self, data: bytes, timeout: float | None) -> None:
        if data:
            with MapSocketErrors(httpx.WriteError, httpx.WriteTimeout):
                try:
                    self.stream.send_all(data, timeout)
                except OSError:
                    self._raise_alert()
                    raise

    def _write(self, rest: memoryview, timeout: float | None) -> h11.Response | None:
        """Send a part of a body; return the head of an answer that comes meanwhile.

        The rest of the body is not wanted then, and the connection is of no more use.
        """
        try:
            with MapSocketErrors(httpx.WriteError, httpx.WriteTimeout):
                while rest:
                    sent = self.stream.send(rest, timeout)
                    if not sent and (answer := self._heard()) is not None:
                        self.reusable = False
                        return answer
                    rest = rest[sent:]
        except httpx.TransportError:
            self.reusable = False
            if (answer := self._said_before_the_end()) is not None:
                return answer
            raise
        return None

    def _heard(self) -> h11.Response | None:
        """Return the head of the final answer, if all of it has come."""
        count = self.stream.receive_ready(self._buffer)
        if count is None:
            return None
        self._feed(count)
        return self._next_head()

    def _said_before_the_end(self) -> h11.Response | None:
        """Return an answer that came before the connection broke, None if there is none."""
        try:
            while (count := self.stream.receive_ready(self._buffer)) is not None:
                self._feed(count)
                if (answer := self._next_head()) is not None or not count:
                    return answer
        except (OSError, EOFError, httpx.TransportError):
            pass
        return None

    def _raise_alert(self) -> None:
        """Raise the reason that the peer gave for closing, if it came in an alert of TLS.

        A server that requires a client certificate and got none says so only after the handshake
        (RFC 8446, section 4.4.2.4), and may be gone before the request is sent.
        """
        if self.stream.encrypted:
            self.stream.receive_ready(self._buffer)

    def _receive(self, latest: float | None) -> None:
        """Read what comes; raise `TimeoutError` when that is later than the clock says."""
        left = None if latest is None else max(0.0, latest - time.monotonic())
        self._feed(self.stream.receive(self._buffer, left))

    def _feed(self, count: int) -> None:
        if not count and self._http.their_state is h11.SEND_RESPONSE:
            raise EOFError("the connection was closed before the answer")
        self._http.receive_data(bytes(self._buffer[:count]))

    def _next_head(self) -> h11.Response | None:
        """Return the head of the final answer, None if it has not come yet (RFC 9110, 15.2)."""
        while True:
            event = self._event()
            if isinstance(event, h11.Response):
                return event
            if event is h11.NEED_DATA:
                return None
            if not isinstance(event, h11.InformationalResponse):
                raise httpx.RemoteProtocolError("the connection was closed before the answer")
            self._interim += 1
            if self._interim > _MOST_INTERIM:
                raise httpx.RemoteProtocolError(f"more than {_MOST_INTERIM} interim answers came")

    def _event(self) -> type[h11.NEED_DATA | h11.PAUSED] | h11.Event:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            broken = httpx.RemoteProtocolError(_words(error))
        except ValueError:
            # A number of more digits than Python reads.
            broken = httpx.RemoteProtocolError("the answer is not HTTP")
        # Raised here, so that the error which quotes what came is not part of it.
        raise broken

    def _check(self, answer: h11.Response) -> None:
        """Raise `ProxyError` for what a proxy says of itself (RFC 9110, section 15.5.8)."""
        if self._forwarder is None or answer.status_code != _PROXY_AUTHENTICATION_REQUIRED:
            return
        reason = safe_text(answer.reason.decode("latin-1"), 100)
        raise ProxyError(self._forwarder, answer.status_code, f"{answer.status_code} {reason}")


def _latest(timeout: float | None) -> float | None:
    """Return when a wait of `timeout` seconds from now on is over, None if never."""
    return None if timeout is None else time.monotonic() + timeout


def _words(error: h11.RemoteProtocolError) -> str:
    """Say what is wrong with an answer; what h11 quotes of it is made safe to show."""
    return f"the answer is not HTTP: {safe_text(str(error), 100)}"
