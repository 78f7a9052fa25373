"""HTTP/1.1 of uvicorn, with bounds on the time and the number of connections.

uvicorn waits for ever for the rest of a request's head or body, and for a client that does not read
its answer.
"""

from __future__ import annotations

import asyncio
import resource
import time
from enum import Enum

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["KEEP_ALIVE_SECONDS", "BoundedProtocol", "most_connections"]

# Longer than clients keep idle connections, so that the client closes them first.
KEEP_ALIVE_SECONDS = 75
# A head has a few hundred bytes, which a client sends at once.
HEAD_SECONDS = 20
# How long a client may send no byte of a body, or read nothing of an answer: longer than a copy
# waits for its own source.
IDLE_SECONDS = 120
# A body may be slower than this, in bytes a second, for IDLE_SECONDS: lines of 1995 are faster.
LEAST_RATE = 1024
# How long the rest of a body is read after the request was refused: a client that is still
# sending reads the answer afterwards.
DRAIN_SECONDS = 10
# Connections at once; a client opens about ten. If there are more, the one that has waited for a
# request for longest is closed.
MAX_CONNECTIONS = 512
# Open files for each connection: its socket, and the files that a request reads or writes.
_FILES_FOR_EACH = 3


class _Phase(Enum):
    """What a connection waits for."""

    HEAD = "the rest of a head, or the first request"
    IDLE = "the next request"
    BODY = "more of a request's body"
    DRAIN = "the rest of a body that nobody wants"
    ANSWER = "the client to read the answer"
    CLOSE = "the client to take what was sent before the end"
    WORK = "the registry"


def most_connections() -> int:
    """Return how many connections may be open, within the limit of open files."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_CONNECTIONS if files < 0 else max(1, min(MAX_CONNECTIONS, files // _FILES_FOR_EACH))


class BoundedProtocol(H11Protocol):
    """One connection, which `check_time` ends when it is overdue."""

    _state: tuple[_Phase, object] = (_Phase.HEAD, None)
    _since = 0.0
    _received = 0
    last_byte = 0.0
    _head_began = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection; if there are too many, an idle one is closed, or else this one."""
        if len(self.connections) >= most_connections() and not self._make_room():
            transport.abort()
            return
        self.last_byte = self._since = time.monotonic()
        self._head_began = True
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end of a connection, unless it was refused."""
        if self.transport is not None:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes of a client."""
        if self.transport is None:
            return
        self.last_byte = time.monotonic()
        self._received += len(data)
        try:
            super().data_received(data)
        except h11.LocalProtocolError:
            # The body broke after the answer had begun: no other answer can follow.
            self.transport.abort()
        self._head_began = self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])

    def check_time(self, now: float) -> None:
        """End the connection if it has waited for too long, `now` in monotonic seconds."""
        phase = self._phase()
        if (phase, self.cycle) != self._state:
            self._state, self._since, self._received = (phase, self.cycle), now, 0
        waited = now - self._since
        if phase is _Phase.BODY:
            late = now - max(self.last_byte, self._since) > IDLE_SECONDS
            overdue = late or (waited > IDLE_SECONDS and self._received < LEAST_RATE * waited)
        else:
            overdue = waited > _LIMITS.get(phase, float("inf"))
        if overdue:
            self.transport.abort()

    def pause_writing(self) -> None:
        """Note that the client does not read as fast as it is written to."""
        super().pause_writing()
        self._since = time.monotonic()

    @property
    def waits_for_request(self) -> bool:
        """Whether no request is under way."""
        return self._phase() in {_Phase.HEAD, _Phase.IDLE}

    def _make_room(self) -> bool:
        """Close the connection that has waited for a request for longest, if any does."""
        waiting = [
            known
            for known in self.connections
            if isinstance(known, BoundedProtocol) and known.waits_for_request
        ]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda known: known.last_byte)
        self.connections.discard(oldest)
        oldest.transport.abort()
        return True

    def _phase(self) -> _Phase:
        if self.transport.is_closing():
            return _Phase.CLOSE
        cycle = vars(self)["cycle"]  # None before the first request, unlike its declared type
        if cycle is None or (
            cycle.response_complete and self.conn.their_state is not h11.SEND_BODY
        ):
            return _Phase.HEAD if self._head_began else _Phase.IDLE
        if cycle.response_complete:
            return _Phase.DRAIN
        if self.flow.write_paused:
            return _Phase.ANSWER
        if cycle.more_body and not self.flow.read_paused:
            return _Phase.BODY
        return _Phase.WORK


_LIMITS = {
    _Phase.HEAD: HEAD_SECONDS,
    _Phase.DRAIN: DRAIN_SECONDS,
    _Phase.ANSWER: IDLE_SECONDS,
    _Phase.CLOSE: DRAIN_SECONDS,
    # uvicorn ends idle connections itself, unless the client has not taken the last answer.
    _Phase.IDLE: 2 * KEEP_ALIVE_SECONDS,
}
