"""How many jobs there are for a round trip."""

from __future__ import annotations

import pytest

from regimport.engine import concurrency
from regimport.engine.concurrency import (
    MAX_JOBS,
    MIN_JOBS,
    choose_jobs,
    connections_ahead,
    jobs_for_files,
    limit_jobs,
)
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.network import Network


@pytest.mark.parametrize(
    ("round_trip", "jobs"),
    [(None, MIN_JOBS), (0.0, MIN_JOBS), (0.0005, 8), (0.012, 12), (0.02, 20), (9.0, 32)],
)
def test_a_longer_line_has_more_jobs_within_bounds(round_trip: float | None, jobs: int) -> None:
    assert choose_jobs(round_trip) == jobs
    assert MIN_JOBS <= jobs <= MAX_JOBS


_DIGEST = Digest.of(b"")
_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.mark.parametrize(
    ("media_type", "size", "round_trip", "connections"),
    [
        (_INDEX, 2400, 0.04, 12),
        (_INDEX, 100_000, 0.04, 32),
        (_INDEX, 2400, 0.001, 0),
        (_INDEX, 2400, None, 0),
        (_INDEX, 300, 0.04, 2),
        (_MANIFEST, 1000, 0.04, 5),
    ],
)
def test_connections_are_opened_ahead_at_the_end_of_a_long_line(
    media_type: str, size: int, round_trip: float | None, connections: int
) -> None:
    root = Descriptor(media_type, _DIGEST, size)
    assert connections_ahead(root, 32, round_trip) == connections


@pytest.mark.parametrize(
    ("files", "ends", "jobs"),
    [(64, 2, 10), (64, 1, 20), (256, 2, 58), (1024, 2, 250), (24, 2, 1), (5, 3, 1), (64, 0, 20)],
)
def test_jobs_are_as_many_as_the_files_that_may_be_open_allow(
    files: int, ends: int, jobs: int
) -> None:
    assert jobs_for_files(files, ends) == jobs


def test_without_a_limit_on_open_files_jobs_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "open_files", lambda: None)
    assert limit_jobs(["a.example", "b.example"], Network()) > 10**6
    monkeypatch.setattr(concurrency, "open_files", lambda: 64)
    assert limit_jobs(["a.example", "b.example"], Network()) == 10
