"""Reporters that a run puts between the engine and the caller's own: they add or drop warnings."""

from __future__ import annotations

import threading
from collections.abc import Callable

from regimport.events import Event, OfImage, ReadingManifests, Reporter, Retrying, Warned
from regimport.models.ratelimit import RateLimit

__all__ = ["ImageReporter", "QuotaWarnings", "WarningsOnce"]


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
        told = event.event if isinstance(event, OfImage) else event
        if isinstance(told, (Retrying, Warned)) and self._stop.is_set():
            return
        if isinstance(told, Warned):
            with self._lock:
                if told in self._told:
                    return
                self._told.add(told)
        self._reporter.tell(event)


class ImageReporter:
    """Hands events on as those of one image among several."""

    def __init__(self, reporter: Reporter, image: str) -> None:
        self._reporter = reporter
        self._image = image

    def tell(self, event: Event) -> None:
        """Hand the event on, with the image."""
        self._reporter.tell(OfImage(self._image, event))


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
