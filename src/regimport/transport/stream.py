"""Bytes over one socket, plain or TLS, with a clock for every wait.

The socket never blocks. Each wait ends when bytes can move, and so the clock starts anew whenever
some have moved, with TLS as without: `sendall` and the standard library's TLS have one deadline for
a whole call instead, which a slow peer that takes every byte would miss.
"""

from __future__ import annotations

import fcntl
import select
import socket
import ssl
import struct
import termios
import time
from contextlib import suppress
from typing import Protocol

__all__ = ["Channel", "Stream"]

# What is encrypted at once, in bytes: between two parts, the peer may be heard.
_PART = 1024 * 1024
# How many times within its clock a wait looks whether the peer is taking bytes at all.
_LOOKS = 4

_IN, _OUT = select.POLLIN, select.POLLOUT
_WANTS_READ = (BlockingIOError, ssl.SSLWantReadError)


class Channel(Protocol):
    """What a stream needs of a socket; TLS inside another TLS has it, too."""

    def fileno(self) -> int:
        """Return the descriptor to wait on."""

    def recv_into(self, buffer: memoryview) -> int:
        """Read what has come; raise if nothing has, or if TLS has to write first."""

    def send(self, data: memoryview, /) -> int:
        """Write what fits; raise if nothing does, or if TLS has to read first."""

    def close(self) -> None:
        """Close the socket."""


class Stream:
    """Reads and writes one connection; used by one thread at a time, except for `abort`."""

    def __init__(self, channel: Channel, raw: socket.socket) -> None:
        raw.setblocking(False)
        self.channel = channel
        self.raw = raw
        self.encrypted = channel is not raw or isinstance(raw, ssl.SSLSocket)
        self._poll = select.poll()
        self._poll.register(raw.fileno(), _IN)

    def close(self) -> None:
        """Close the connection."""
        self.channel.close()

    def abort(self) -> None:
        """Break the connection off from another thread."""
        with suppress(OSError):
            # Not as TLS would: its state belongs to the thread that is using it.
            socket.socket.shutdown(self.raw, socket.SHUT_RDWR)

    def receive(self, buffer: memoryview, timeout: float | None) -> int:
        """Read some bytes, and return how many; 0 at the end. Raise `TimeoutError`, `OSError`."""
        while True:
            try:
                return self.channel.recv_into(buffer)
            except _WANTS_READ:
                self._wait(_IN, timeout)
            except ssl.SSLWantWriteError:
                self._wait(_IN | _OUT, timeout)

    def receive_ready(self, buffer: memoryview) -> int | None:
        """Read what has come; return None if nothing has, 0 at the end. Raise `OSError`.

        The tickets of TLS 1.3 (RFC 8446, section 4.6.1) are taken off the connection on the way.
        """
        try:
            return self.channel.recv_into(buffer)
        except (*_WANTS_READ, ssl.SSLWantWriteError):
            return None

    def send(self, data: memoryview, timeout: float | None) -> int:
        """Write some bytes, and return how many; 0 if the peer says something first.

        Raise `TimeoutError` if the peer takes nothing for `timeout` seconds, and `OSError`.
        """
        part = data[:_PART] if self.encrypted else data
        while True:
            events = self._wait(_IN | _OUT, timeout)
            if events & ~_OUT:
                return 0
            try:
                return self.channel.send(part)
            except (BlockingIOError, ssl.SSLWantWriteError):
                # With TLS a record may be half-way out: the same part has to be offered again.
                continue
            except ssl.SSLWantReadError:
                self._wait(_IN, timeout)

    def send_all(self, data: bytes, timeout: float | None) -> None:
        """Write all of `data`, whatever the peer says meanwhile; raise as `send` does."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self.channel.send(rest[:_PART]) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(_OUT, timeout)
            except ssl.SSLWantReadError:
                self._wait(_IN, timeout)

    def _wait(self, wanted: int, timeout: float | None) -> int:
        """Wait for an event, and return which came; raise `TimeoutError`.

        A socket counts as writable only when a good part of its buffer is free. While that takes
        long, bytes that the peer has taken out of the buffer start the clock anew.
        """
        self._poll.modify(self.raw.fileno(), wanted)
        if timeout is None or not wanted & _OUT:
            events = self._poll.poll(None if timeout is None else timeout * 1000)
        else:
            events = self._poll_while_moving(timeout)
        if not events:
            raise TimeoutError("timed out")
        return events[0][1]

    def _poll_while_moving(self, timeout: float) -> list[tuple[int, int]]:
        if events := self._poll.poll(0):
            return events
        unsent, latest = self._unsent(), time.monotonic() + timeout
        while not (events := self._poll.poll(timeout * 1000 / _LOOKS)):
            before, unsent = unsent, self._unsent()
            if unsent < before:
                latest = time.monotonic() + timeout
            elif time.monotonic() >= latest:
                return []
        return events

    def _unsent(self) -> int:
        """Return how many bytes wait in the system's buffer, 0 where it does not tell."""
        with suppress(OSError):
            return int(struct.unpack("i", fcntl.ioctl(self.raw, termios.TIOCOUTQ, b"\0" * 4))[0])
        return 0
