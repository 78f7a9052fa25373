"""Reporters that a run puts between the engine and the caller's own: they add or drop warnings."""

from __future__ import annotations

import threading
from collections.abc import Callable

from regimport.events import Event, ReadingManifests, Reporter, Retrying, Warned
from regimport.models.ratelimit import RateLimit

__all__ = ["QuotaWarnings", "WarningsOnce"]


class WarningsOnce:
    """Hands events on, each warning once: both ends of a copy may have the same to say.

    After `stop` is set, transfers break because of that, and this is not worth a warning.
    """

    def __init__(self, reporter: Reporter, stop: threading.Event) -> None:
        self._reporter = reporter
        self._stop = stop
        self._lock = threading.Lock()
        self._told: set[Warned] = set()

    def tell(self, event: Event) -> None:
        """Hand the event on, unless it is a warning that was told before, or a stop caused it."""
        if isinstance(event, (Retrying, Warned)) and self._stop.is_set():
            return
        if isinstance(event, Warned):
            with self._lock:
                if event in self._told:
                    return
                self._told.add(event)
        self._reporter.tell(event)


class QuotaWarnings:
    """Hands events on, and warns once if more pulls are wanted than the source has left.

    `limit` returns what the registry of `source` says is left, None if it says nothing.
    """

    def __init__(
        self, reporter: Reporter, source: str, limit: Callable[[], RateLimit | None]
    ) -> None:
        self._reporter = reporter
        self._source = source
        self._limit = limit
        self._warned = threading.Event()

    def tell(self, event: Event) -> None:
        """Hand the event on, and look whether it calls for the warning."""
        self._reporter.tell(event)
        if isinstance(event, ReadingManifests):
            self.warn_if_over_quota(event.count)

    def warn_if_over_quota(self, pulls: int) -> None:
        """Warn if `pulls` are more than the registry says are left."""
        limit = self._limit()
        left = None if limit is None else limit.remaining
        if left is None or pulls <= left or self._warned.is_set():
            return
        self._warned.set()
        self._reporter.tell(
            Warned(
                f"this takes {pulls} more pulls at {self._source}, but there are {limit}; "
                "log in for more, wait, or name a mirror"
            )
        )
