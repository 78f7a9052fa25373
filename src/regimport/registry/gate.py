"""The gate before a registry: after "too many requests" it pauses, and then lets fewer in."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from regimport.errors import Interrupted
from regimport.registry.rate import RequestRate

__all__ = ["Gate"]

# How many good answers in a row let one more request go at once.
_GOOD_ANSWERS = 20
# How long a request waits for room at most, in seconds: going easy on a registry is a courtesy,
# and must never become two requests that wait for each other.
_LONGEST_WAIT = 30.0
_LOOK_SECONDS = 0.1


class Gate:
    """Lets requests to one registry through, unless the registry asked for a pause.

    A registry that was asked too much at once is asked half as much from then on, and for each
    run of good answers one request more, until it takes as much as before. `pace` spaces the
    requests, where the user wants that.
    """

    def __init__(self, stop: threading.Event, pace: RequestRate | None = None) -> None:
        self._stop = stop
        self._pace = pace
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
        """Whether the registry wants to be left alone for now."""
        return self._closed_until > time.monotonic()

    def hold(self, seconds: float) -> None:
        """Let nothing through for `seconds` from now, nor before an earlier pause ends."""
        with self._lock:
            self._closed_until = max(self._closed_until, time.monotonic() + seconds)

    def wait(self) -> None:
        """Return when requests may go; raises `Interrupted` if the copy is stopped meanwhile."""
        if self._pace is not None and (turn := self._pace.reserve()) > 0:
            self.sleep(turn)
        while (left := self._closed_until - time.monotonic()) > 0:
            self.sleep(left)
        if self._stop.is_set():
            raise Interrupted

    def sleep(self, seconds: float) -> None:
        """Wait, unless the copy is stopped meanwhile; raises `Interrupted` then."""
        if self._stop.wait(seconds):
            raise Interrupted

    @contextmanager
    def passage(self, *, room: bool = True) -> Iterator[int]:
        """Let one request through, and count it until it is over; gives what `crowded` wants.

        Without `room` it does not wait for others to end: the rest of what has begun.
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
        """Let half as many through at once: the registry was asked too much.

        Once for all requests that were under way together.
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
        """Take note of a good answer."""
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
            self._lock.wait(_LOOK_SECONDS)
