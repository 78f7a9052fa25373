"""How many things to do at once, chosen from what the run has measured."""

from __future__ import annotations

__all__ = ["FEWEST_JOBS", "MOST_JOBS", "jobs_for"]

# On a short line more than this is no faster; on a long one more than that is not polite.
FEWEST_JOBS = 8
MOST_JOBS = 32
# What a small request costs both ends in work, in seconds; the rest of its time is the line's.
_WORK = 0.001


def jobs_for(round_trip: float | None) -> int:
    """Give how many requests keep a line busy whose answers take `round_trip` seconds.

    One for every millisecond of waiting, within bounds; None is not known yet.
    """
    if round_trip is None:
        return FEWEST_JOBS
    return max(FEWEST_JOBS, min(MOST_JOBS, round(round_trip / _WORK)))
