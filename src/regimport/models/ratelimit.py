"""How many pulls a registry still allows."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from regimport.redact import safe_text
from regimport.values import dataclass

__all__ = ["RateLimit"]

# Docker Hub's form, as in "100;w=21600" (docs.docker.com, "Docker Hub pull usage and limits").
_QUOTA = re.compile(r"([0-9]{1,12})(?:\s*;\s*w=([0-9]{1,9}))?")


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`remaining` of `limit` pulls are left in a window of `window` seconds.

    The limit applies to `source`: an address, or an account. What the registry did not say is None.
    """

    limit: int | None
    remaining: int | None
    window: int | None
    source: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> RateLimit | None:
        """Read it from the header fields of an answer; None if they do not mention it."""
        limit, window = _quota(headers.get("ratelimit-limit", ""))
        remaining, other = _quota(headers.get("ratelimit-remaining", ""))
        if limit is None and remaining is None:
            return None
        source = safe_text(headers.get("docker-ratelimit-source", ""), 100)
        return cls(limit, remaining, window if window is not None else other, source or None)

    @property
    def by_address(self) -> bool:
        """Whether it applies to everyone behind one address, not to an account."""
        try:
            ipaddress.ip_address(self.source or "")
        except ValueError:
            return False
        return True

    def __str__(self) -> str:
        """Return it in words, e.g. `76 of 100 pulls left per 6 hours for the address 192.0.2.1`."""
        left = "?" if self.remaining is None else str(self.remaining)
        words = f"{left} of {self.limit} pulls left" if self.limit else f"{left} pulls left"
        if self.window:
            words += f" per {_duration(self.window)}"
        if self.source:
            words += f" for the {'address' if self.by_address else 'account'} {self.source}"
        return words


def _quota(text: str) -> tuple[int | None, int | None]:
    match = _QUOTA.fullmatch(text.strip())
    if match is None:
        return None, None
    return int(match[1]), int(match[2]) if match[2] else None


def _duration(seconds: int) -> str:
    units = {3600: "hour", 60: "minute", 1: "second"}
    unit = next(unit for unit in units if seconds % unit == 0)
    count = seconds // unit
    return units[unit] if count == 1 else f"{count} {units[unit]}s"
