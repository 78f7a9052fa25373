"""The connections to registries: what carries requests, and how long it waits.

Over the standard library's connections, which cost a quarter of httpx's own stack for a request
and a third for a large body: pieces are read into one buffer and sent from it. It adds nothing to
a request: no cookies, no redirects, no credentials.
"""

from __future__ import annotations

import http.client
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast
from urllib.parse import urlsplit

from regimport.transport.connection import CLOSED, Connection, Origin, mapped
from regimport.transport.dial import Dialer
from regimport.transport.wire import (
    Clocks,
    Headers,
    ProtocolError,
    ReadError,
    ReadTimeout,
    WireRequest,
    WireResponse,
)

__all__ = ["PIECE", "PooledTransport"]

# The most that is handed on at once, in bytes. Large pieces cost less CPU; where more bodies are
# read at once they are smaller, so that all of them together take little memory.
PIECE = 4 * 1024 * 1024
_PIECE_OF_FEW = PIECE // 4
_PIECE_OF_MANY = _PIECE_OF_FEW // 4
_FEW_BODIES = 8


class PooledTransport:
    """Pooled HTTP/1.1 connections; TLS is set up when the first https request is made.

    A piece of an answer's body is good until the next is asked for.
    """

    def __init__(self, dialer: Dialer | None = None) -> None:
        self._dialer = dialer or Dialer()
        self._lock = threading.Lock()
        self._idle: dict[Origin, list[Connection]] = {}
        self._made: weakref.WeakSet[Connection] = weakref.WeakSet()
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
                if not isinstance(error.__cause__, CLOSED) or not _repeatable(request):
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
        self, connection: Connection, origin: Origin, target: str, request: WireRequest
    ) -> WireResponse:
        try:
            answer = connection.exchange(request, target)
        except BaseException:
            connection.close()
            raise
        body = _Body(self, connection, origin, answer, head=request.method == "HEAD")
        return WireResponse(request, answer.status, Headers(answer.getheaders()), body)

    def _open(self, origin: Origin, clocks: Clocks) -> Connection:
        connection = Connection(origin, self._dialer, clocks.connect)
        with self._lock:
            self._made.add(connection)
        return connection

    def _take(self, origin: Origin) -> Connection | None:
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
            few = _PIECE_OF_FEW if self._lent <= _FEW_BODIES else _PIECE_OF_MANY
            most = PIECE if self._lent == 1 else few
        try:
            yield memoryview(bytearray(min(most, size)))
        finally:
            with self._lock:
                self._lent -= 1

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection for the next request to its origin."""
        with self._lock:
            if not self._closed:
                self._idle.setdefault(origin, []).append(connection)
                return
        connection.close()


class _Body:
    """The body of an answer; its connection is kept if it was read to its end."""

    def __init__(
        self,
        transport: PooledTransport,
        connection: Connection,
        origin: Origin,
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
        with mapped(ReadError, ReadTimeout):
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
            while piece := answer.read1(_PIECE_OF_MANY):
                yield piece
            return
        left = answer.length
        with self._transport.buffer(left) as buffer:
            filled = 0
            while left:
                count = answer.fp.readinto1(buffer[filled : filled + left])
                if not count:
                    raise http.client.IncompleteRead(b"", left)
                left -= count
                filled += count
                if left and filled < len(buffer) and self._connection.holds_more:
                    continue
                # Typed as bytes: what reads it takes any buffer.
                yield cast("bytes", buffer[:filled])
                filled = 0


def _parts(url: str) -> tuple[Origin, str]:
    """Give the origin of a URL, and the target of a request for it (RFC 9112, section 3.2.1)."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    return (parts.scheme, parts.hostname or "", port), target


def _repeatable(request: WireRequest) -> bool:
    return isinstance(request.body, bytes)
