"""Connecting to a host with several addresses, as RFC 8305 ("Happy Eyeballs") says."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any, TypeAlias

__all__ = ["Address", "alternating", "connect_first"]

# Family, kind, protocol and address, as `socket.getaddrinfo` returns them.
Address: TypeAlias = tuple[int, int, int, Any]

# How long an address has for itself before the next is tried too, in seconds (RFC 8305, section 5).
_DELAY = 0.25
_UNDER_WAY = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY})


def connect_first(
    addresses: Sequence[Address], timeout: float | None
) -> tuple[socket.socket, Address]:
    """Connect to the address that answers first, and return the socket and the address.

    They are tried in turn, both families alternating, each a quarter of a second after the one
    before, or at once if that one failed; each has `timeout` seconds. Raise the last `OSError`.
    """
    race = _Race(timeout)
    try:
        return race.run(alternating(addresses))
    finally:
        race.close()


class _Race:
    """The attempts that are under way; `failure` is the last error of one that is over."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._poll = select.poll()
        self._running: dict[int, tuple[socket.socket, Address, float | None]] = {}
        self._failure: OSError = socket.gaierror(socket.EAI_NONAME, "there is no address")

    def run(self, addresses: Sequence[Address]) -> tuple[socket.socket, Address]:
        waiting = list(addresses)
        next_start = time.monotonic()
        while waiting or self._running:
            now = time.monotonic()
            if waiting and (now >= next_start or not self._running):
                self._start(waiting.pop(0), now)
                next_start = now + _DELAY
            self._drop_late(now)
            if self._running and (won := self._wait(next_start if waiting else None)) is not None:
                return won
        raise self._failure

    def close(self) -> None:
        for connection, _, _ in self._running.values():
            connection.close()

    def _start(self, address: Address, now: float) -> None:
        family, kind, protocol, place = address
        connection: socket.socket | None = None
        try:
            connection = socket.socket(family, kind, protocol)
            connection.setblocking(False)
            code = connection.connect_ex(place)
            if code not in _UNDER_WAY:
                raise _error(code)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            self._failure = error
            if connection is not None:
                connection.close()
            return
        until = None if self._timeout is None else now + self._timeout
        self._running[connection.fileno()] = connection, address, until
        self._poll.register(connection.fileno(), select.POLLOUT)

    def _wait(self, next_start: float | None) -> tuple[socket.socket, Address] | None:
        """Wait until an attempt is over, or it is time for the next; return the one that won."""
        ends = [until for _, _, until in self._running.values() if until is not None]
        if next_start is not None:
            ends.append(next_start)
        left = max(0.0, min(ends) - time.monotonic()) * 1000 if ends else None
        for number, _ in self._poll.poll(left):
            connection, address, _ = self._running.pop(number)
            self._poll.unregister(number)
            code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not code:
                return connection, address
            self._failure = _error(code)
            connection.close()
        return None

    def _drop_late(self, now: float) -> None:
        for number, (connection, _, until) in list(self._running.items()):
            if until is not None and now >= until:
                del self._running[number]
                self._poll.unregister(number)
                connection.close()
                self._failure = TimeoutError("timed out")


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def alternating(addresses: Sequence[Address]) -> list[Address]:
    """Return the addresses with both families in turn, the first one's first (section 4)."""
    first = [address for address in addresses if address[0] == addresses[0][0]]
    other = [address for address in addresses if address[0] != addresses[0][0]]
    pairs = chain.from_iterable(zip_longest(first, other))
    return [address for address in pairs if address is not None]
