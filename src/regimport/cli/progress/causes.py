"""Why things are tried again: each cause once, with a count."""

from __future__ import annotations

import re
from dataclasses import dataclass

from regimport.events import Retrying

__all__ = ["Cause", "Causes", "in_full"]

# A cause that goes on is told again after so many seconds, with how often it came since.
_AGAIN = 60.0
# It is told for the first time after so many, as most retries come in groups.
_FIRST = 10.0

_REQUEST = re.compile(r"(?:GET|HEAD|POST|PATCH|PUT|DELETE) \S+ ")
_DIGEST = re.compile(r"\b(sha\d+:[0-9a-f]{12})[0-9a-f]+")
_VARIES = re.compile(r"sha\d+:[0-9a-f]+|https?://\S+|\d+(?= of \d)|\d+(?= bytes)")


@dataclass(slots=True)
class Cause:
    """A cause as it was first given, and how often it came since it was last told."""

    text: str
    due: float
    count: int = 0

    def __str__(self) -> str:
        """Return a line: `target: answered 500: no space left on device (tried again 9 times)`."""
        times = "tried again" if self.count == 1 else f"tried again {self.count} times"
        return f"{self.text} ({times})"


class Causes:
    """Counts retries by cause; times are in seconds."""

    def __init__(self) -> None:
        self._known: dict[str, Cause] = {}
        self._latest: Cause | None = None

    def add(self, event: Retrying, now: float) -> None:
        """Count a retry."""
        text = _short(event)
        cause = self._known.setdefault(_VARIES.sub("", text), Cause(text, now + _FIRST))
        cause.count += 1
        self._latest = cause

    @property
    def latest(self) -> str | None:
        """The cause that came last, after its count; None if none came since it was told."""
        cause = self._latest
        if cause is None or not cause.count:
            return None
        return f"{cause.count} {'retry' if cause.count == 1 else 'retries'}: {cause.text}"

    def due(self, now: float) -> list[str]:
        """Return the lines that are due now; they are not due again for a while."""
        lines = []
        for cause in self._known.values():
            if cause.count and cause.due <= now:
                lines.append(str(cause))
                cause.count, cause.due = 0, now + _AGAIN
        return lines

    def rest(self) -> list[str]:
        """Return a line for each cause that came since it was last told."""
        return [str(cause) for cause in self._known.values() if cause.count]


def in_full(event: Retrying) -> str:
    """Return what is tried again, why, and when, with its URL, which is in it once."""
    side = f"{event.side}: " if event.side else ""
    cause = event.cause.removeprefix(event.what).lstrip(": ")
    return (
        f"{side}{event.what} failed ({cause}); attempt {event.attempt} of "
        f"{event.attempts}, next in {event.delay:.1f} s"
    )


def _short(event: Retrying) -> str:
    """Return the side and the cause, without the request that it happened to."""
    side = f"{event.side}: " if event.side else ""
    cause = event.cause.partition("\n")[0]
    if _REQUEST.match(f"{event.what} "):
        cause = cause.removeprefix(event.what).lstrip(": ")
    return side + _DIGEST.sub(r"\1…", _REQUEST.sub("", cause))
