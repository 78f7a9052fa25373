"""How many pulls a run has used, and how many the registry still allows."""

from __future__ import annotations

import threading
from http import HTTPStatus

import httpx

from regimport.models.ratelimit import RateLimit

__all__ = ["Quota"]


class Quota:
    """Counts pulls: a GET of a manifest is one, a HEAD is not, as Docker Hub counts them.

    `pulls` is their number in this run; `limit` is what the registry said last, None if it did
    not mention a limit.
    """

    def __init__(self, pulls: int = 0, limit: RateLimit | None = None) -> None:
        self._lock = threading.Lock()
        self.pulls = pulls
        self.limit = limit

    def __repr__(self) -> str:
        return f"<Quota: {self.pulls} spent, {self.limit}>"

    def note(self, method: str, path: str, response: httpx.Response) -> None:
        """Record an answer."""
        if "/manifests/" not in path:
            return
        spent = method == "GET" and response.status_code == HTTPStatus.OK
        told = RateLimit.of(response.headers)
        with self._lock:
            self.pulls += spent
            if told is not None and not self._is_older(told):
                self.limit = told

    def _is_older(self, told: RateLimit) -> bool:
        """Return whether a limit is older than the known one: answers may overtake each other."""
        known = None if self.limit is None else self.limit.remaining
        return known is not None and told.remaining is not None and told.remaining > known
