"""Limit the requests to a registry: pause after "too many requests", then send fewer at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from regimport.errors import Interrupted
from regimport.registry.rate import RequestRate

__all__ = ["Gate"]

# After this many good answers in a row, one more request is allowed at once.
_GOOD_ANSWERS = 20
# How long a request waits at most until fewer are in progress, in seconds: two requests must never
# wait for each other.
_LONGEST_WAIT = 30.0
_POLL_SECONDS = 0.1


class Gate:
    """Limits the requests to one registry, and holds them back while it asks for a pause.

    After "too many requests", half as many go at once, and one more for each run of good answers,
    until there are as many as before. `rate`, if it is given, spaces the requests evenly.
    """

    def __init__(self, stop: threading.Event, rate: RequestRate | None = None) -> None:
        self._stop = stop
        self._rate = rate
        self._lock = threading.Condition()
        self._closed_until = 0.0
        self._inside = 0
        self._limit: int | None = None
        self._full = 0
        self._good = 0
        self._lowered = 0

    def __repr__(self) -> str:
        left = self._closed_until - time.monotonic()
        state = f"closed for {left:.1f} s" if left > 0 else "open"
        most = "" if self._limit is None else f", {self._limit} at once"
        return f"<Gate {state}{most}>"

    @property
    def stopped(self) -> bool:
        """Whether the copy is being stopped."""
        return self._stop.is_set()

    @property
    def held(self) -> bool:
        """Whether the registry has asked for a pause that has not ended."""
        return self._closed_until > time.monotonic()

    def hold(self, seconds: float) -> None:
        """Hold requests back for `seconds` from now, and until an earlier pause ends."""
        with self._lock:
            self._closed_until = max(self._closed_until, time.monotonic() + seconds)

    def wait(self) -> None:
        """Wait until a request may be sent; raise `Interrupted` if the copy is stopped."""
        if self._rate is not None and (turn := self._rate.reserve()) > 0:
            self.sleep(turn)
        while (left := self._closed_until - time.monotonic()) > 0:
            self.sleep(left)
        if self._stop.is_set():
            raise Interrupted

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`; raise `Interrupted` if the copy is stopped meanwhile."""
        if self._stop.wait(seconds):
            raise Interrupted

    @contextmanager
    def passage(self, *, room: bool = True) -> Iterator[int]:
        """Wait until a request may be sent, and count it until it ends; yield a mark for `crowded`.

        Without `room` it does not wait for other requests to end: it continues something begun.
        """
        self.wait()
        with self._lock:
            if room:
                self._wait_for_room()
            self._inside += 1
            mark = self._lowered
        try:
            yield mark
        finally:
            with self._lock:
                self._inside -= 1
                self._lock.notify()

    def crowded(self, mark: int) -> None:
        """Allow half as many requests at once: the registry answered "too many requests".

        Requests that were in progress together count once.
        """
        with self._lock:
            if mark != self._lowered:
                return
            if self._limit is None:
                self._full = self._limit = self._inside
            self._limit = max(1, min(self._inside, self._limit) // 2)
            self._lowered += 1
            self._good = 0

    def good(self) -> None:
        """Record a good answer."""
        if self._limit is not None:
            with self._lock:
                self._count_good()

    def _count_good(self) -> None:
        self._good += 1
        if self._limit is None or self._good < _GOOD_ANSWERS:
            return
        self._good = 0
        self._limit = self._limit + 1 if self._limit + 1 < self._full else None
        self._lock.notify_all()

    def _wait_for_room(self) -> None:
        latest = time.monotonic() + _LONGEST_WAIT
        while self._limit is not None and self._inside >= self._limit:
            if self._stop.is_set():
                raise Interrupted
            if time.monotonic() >= latest:
                return
            self._lock.wait(_POLL_SECONDS)
