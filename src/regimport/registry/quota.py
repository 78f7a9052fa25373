"""What a run has spent of the pulls that a registry allows, and what is left of them."""

from __future__ import annotations

import threading
from http import HTTPStatus

import httpx

from regimport.models.ratelimit import RateLimit

__all__ = ["Quota"]


class Quota:
    """Counts pulls: manifests that were got, not those that were only asked about with HEAD.

    That is how Docker Hub counts them. `pulls` are those of this run; `limit` is what the
    registry said last, None if it said nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.pulls = 0
        self.limit: RateLimit | None = None

    def __repr__(self) -> str:
        return f"<Quota: {self.pulls} spent, {self.limit}>"

    def note(self, method: str, path: str, response: httpx.Response) -> None:
        """Take notice of an answer."""
        if "/manifests/" not in path:
            return
        spent = method == "GET" and response.status_code == HTTPStatus.OK
        told = RateLimit.of(response.headers)
        with self._lock:
            self.pulls += spent
            if told is not None and not self._is_older(told):
                self.limit = told

    def _is_older(self, told: RateLimit) -> bool:
        """Tell whether an answer was overtaken by one that came after it was made."""
        known = None if self.limit is None else self.limit.remaining
        return known is not None and told.remaining is not None and told.remaining > known
