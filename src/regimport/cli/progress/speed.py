"""How fast bytes move."""

from __future__ import annotations

from collections import deque

__all__ = ["Speed", "time_left"]

# Bytes of the last so many seconds make up the rate; they are added up by parts of a second.
_WINDOW = 8.0
_STEP = 0.25


class Speed:
    """The rate of the last seconds; times are those of one clock, in seconds."""

    def __init__(self, now: float) -> None:
        self._started = now
        self._steps: deque[tuple[float, int]] = deque()

    def add(self, now: float, count: int) -> None:
        """Count bytes that have moved just now."""
        if self._steps and now - self._steps[-1][0] < _STEP:
            start, before = self._steps[-1]
            self._steps[-1] = (start, before + count)
        else:
            self._steps.append((now, count))
        while self._steps[0][0] < now - _WINDOW:
            self._steps.popleft()

    def rate(self, now: float) -> float:
        """Return the bytes per second of the last seconds."""
        counted = sum(count for start, count in self._steps if start > now - _WINDOW)
        return counted / max(_STEP, min(_WINDOW, now - self._started))


def time_left(size: int, rate: float) -> str | None:
    """Return how long `size` bytes take at a rate: `1:05`, `2:03:04`; None if nobody can say."""
    if size <= 0 or rate < 1 or size / rate >= 100 * 3600:
        return None
    seconds = round(size / rate)
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
