"""How many requests a second are sent to a registry, as the settings allow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["RequestRate"]


class RequestRate:
    """Spaces requests evenly, `rate` of them a second; shared by all threads of a registry."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1.0 / rate
        self._clock = clock
        self._lock = threading.Lock()
        self._next = 0.0

    def __repr__(self) -> str:
        return f"<RequestRate: {1 / self._interval:g} requests a second>"

    def reserve(self) -> float:
        """Reserve the next time for a request, and return how many seconds it is until then."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + self._interval
            return turn - now
