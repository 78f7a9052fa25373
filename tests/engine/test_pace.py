"""How many jobs there are for a round trip."""

from __future__ import annotations

import pytest

from regimport.engine.pace import FEWEST_JOBS, MOST_JOBS, jobs_for


@pytest.mark.parametrize(
    ("round_trip", "jobs"),
    [(None, FEWEST_JOBS), (0.0, FEWEST_JOBS), (0.0005, 8), (0.012, 12), (0.02, 20), (9.0, 32)],
)
def test_a_longer_line_has_more_jobs_within_bounds(round_trip: float | None, jobs: int) -> None:
    assert jobs_for(round_trip) == jobs
    assert FEWEST_JOBS <= jobs <= MOST_JOBS
