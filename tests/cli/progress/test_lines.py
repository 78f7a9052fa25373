"""The lines of progress in a log."""

from __future__ import annotations

from cli.progress.builders import blob, under_way
from regimport.cli.progress.lines import progress_line
from regimport.cli.progress.totals import Totals
from regimport.events import ReadingManifests, Resolved


def test_a_line_has_the_rate_and_the_time_left() -> None:
    line = progress_line(under_way(2, 12, finished=5), 10.0)
    assert line == "220.0 MiB of 480.0 MiB, 5 of 12 blobs, 2.0 MiB/s, 2:10 left"


def test_a_copy_that_stalls_says_so() -> None:
    assert progress_line(under_way(2, 2), 40.0).endswith("0 of 2 blobs, stalled for 30 s")


def test_reading_manifests_is_told() -> None:
    totals = Totals(0.0)
    totals.take(Resolved("r.example/a:1", blob(0)), 0.0)
    totals.take(ReadingManifests(41), 0.0)
    assert progress_line(totals, 5.0) == "reading 41 manifests of r.example/a:1"


def test_the_last_manifests_are_told() -> None:
    assert progress_line(under_way(0, 1, finished=1), 60.0).endswith(
        "1 of 1 blobs, 0 of 3 manifests"
    )


def test_before_anything_is_known_it_says_so() -> None:
    assert progress_line(Totals(0.0), 5.0) == "looking up the image"
