"""The body of an answer, while it comes: in large pieces, through one buffer that is used again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol, cast

import httpx

from regimport.transport.connection import Connection
from regimport.transport.socket_errors import MapSocketErrors

__all__ = ["ResponseBody"]


class _Release(Protocol):
    def __call__(self, *, whole: bool) -> None: ...


class ResponseBody(httpx.SyncByteStream):
    """A body of `length` bytes, or one that tells by itself where it ends (None).

    A piece is good until the next is asked for. `lend` gives the buffer for a body of some length,
    `release` takes the connection back, whose body was read to its end or not. `timeout` is how
    long to wait for the next bytes, in seconds.
    """

    def __init__(
        self,
        connection: Connection,
        length: int | None,
        timeout: float | None,
        lend: Callable[[int], AbstractContextManager[memoryview]],
        release: _Release,
    ) -> None:
        self._connection = connection
        self._length = length
        self._timeout = timeout
        self._lend = lend
        self._release = release
        self._whole = length == 0
        self._open = True

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes as they come; raise `httpx.TransportError`."""
        if self._whole:
            return
        self._connection.moving = True
        if self._length is None:
            yield from self._connection.events(self._timeout)
        else:
            yield from self._counted(self._length)
        self._whole = True

    def close(self) -> None:
        """Let go of the connection; it serves again if the body was read to its end."""
        if self._open:
            self._open = False
            self._release(whole=self._whole)

    def _counted(self, left: int) -> Iterator[bytes]:
        """Yield `left` bytes; what came behind the head of the answer is the first of them."""
        with self._lend(left) as buffer:
            while left:
                filled = self._take_early(buffer[:left]) or self._fill(buffer[:left], left)
                left -= filled
                # Typed as bytes: what reads it takes any buffer.
                yield cast("bytes", buffer[:filled])

    def _take_early(self, buffer: memoryview) -> int:
        """Take what came behind the head of the answer, and return how many bytes that are."""
        early = self._connection.left[: len(buffer)]
        self._connection.left = self._connection.left[len(early) :]
        buffer[: len(early)] = early
        return len(early)

    def _fill(self, buffer: memoryview, left: int) -> int:
        """Read what comes next, and all that has come with it: TLS gives 16 KiB at a time."""
        stream = self._connection.stream
        with MapSocketErrors(httpx.ReadError, httpx.ReadTimeout):
            filled = stream.receive(buffer, self._timeout)
            if not filled:
                raise EOFError(f"the answer broke off {left} bytes before its end")
            while stream.encrypted and filled < len(buffer):
                count = stream.receive_ready(buffer[filled:])
                if not count:
                    break
                filled += count
        return filled
