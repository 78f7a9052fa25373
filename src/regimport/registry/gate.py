"""The gate before a registry: after "too many requests" it holds all requests back together."""

from __future__ import annotations

import threading
import time

from regimport.errors import Interrupted

__all__ = ["Gate"]


class Gate:
    """Lets requests to one registry through, unless the registry asked for a pause."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._lock = threading.Lock()
        self._closed_until = 0.0

    def __repr__(self) -> str:
        left = self._closed_until - time.monotonic()
        return f"<Gate closed for {left:.1f} s>" if left > 0 else "<Gate open>"

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
        while (left := self._closed_until - time.monotonic()) > 0:
            self.sleep(left)
        if self._stop.is_set():
            raise Interrupted

    def sleep(self, seconds: float) -> None:
        """Wait, unless the copy is stopped meanwhile; raises `Interrupted` then."""
        if self._stop.wait(seconds):
            raise Interrupted
