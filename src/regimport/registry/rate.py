"""How often a registry is asked: no more often than the settings allow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["RequestRate"]


class RequestRate:
    """Spaces requests evenly, `rate` of them a second; shared by all that ask one registry."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1.0 / rate
        self._clock = clock
        self._lock = threading.Lock()
        self._next = 0.0

    def __repr__(self) -> str:
        return f"<RequestRate: {1 / self._interval:g} requests a second>"

    def reserve(self) -> float:
        """Take the next turn, and give how long it is until then, in seconds."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + self._interval
            return turn - now
