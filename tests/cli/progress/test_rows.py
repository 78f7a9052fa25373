"""What the live display shows, at every size of terminal."""

from __future__ import annotations

import pytest
from rich.text import Text

from cli.progress.builders import MIB, blob, under_way
from regimport.cli.progress.rows import Screen, draw
from regimport.cli.progress.totals import Totals
from regimport.events import (
    BlobFinished,
    BlobStarted,
    BytesMoved,
    Checking,
    Planned,
    ReadingManifests,
    Resolved,
)


def plain(lines: list[Text]) -> list[str]:
    return [line.plain for line in lines]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
@pytest.mark.parametrize("jobs", [2, 32])
@pytest.mark.parametrize("height", [4, 10, 24])
def test_no_line_is_wider_than_the_screen_and_all_fit_on_it(
    width: int, jobs: int, height: int
) -> None:
    cause = "target: no space left on device " * 10
    lines = plain(draw(under_way(jobs, 60), 10.0, Screen(width, height), cause))
    assert max(map(len, lines)) <= width
    assert len(lines) <= height
    # The first line is for the whole, the last two for what waits and for the cause.
    assert len(lines) - 3 == min(jobs, max(1, height - 4))


def test_bars_take_the_width_that_there_is() -> None:
    at = {width: draw(under_way(1, 2), 10.0, Screen(width, 24))[1].plain for width in (60, 120)}
    bars = {width: line.count("━") + line.count("╌") for width, line in at.items()}
    assert bars[60] >= 10
    assert bars[120] >= 50
    assert len(at[120]) == 120


def test_sizes_and_rates_are_in_the_same_units() -> None:
    line = draw(under_way(1, 1), 10.0, Screen(80, 24))[1].plain
    assert "10.0/40.0 MiB" in line
    # 30 MiB are left.
    assert line.endswith(" 1.0 MiB/s    0:30")


def test_what_has_no_bar_is_counted() -> None:
    lines = plain(draw(under_way(2, 16), 10.0, Screen(80, 24)))
    assert lines[-1] == "  +14 waiting"
    assert len(lines) == 4
    lines = plain(draw(under_way(32, 40), 10.0, Screen(80, 24)))
    assert lines[-1] == "  +12 moving, +8 waiting"


def test_the_whole_says_how_many_blobs_are_done() -> None:
    assert plain(draw(under_way(2, 12, finished=5), 10.0, Screen(80, 24)))[0].startswith(
        "5 of 12 blobs "
    )


def test_the_platform_is_shown_where_there_is_room() -> None:
    totals = under_way(1, 1)
    assert "linux/arm64/v8" in draw(totals, 10.0, Screen(80, 24))[1].plain
    assert "linux" not in draw(totals, 10.0, Screen(60, 24))[1].plain


def test_a_stalled_blob_says_so_and_the_others_do_not() -> None:
    totals = under_way(2, 2)
    totals.take(BytesMoved(blob(1), MIB), 22.0)
    whole, first, second = plain(draw(totals, 23.0, Screen(60, 24)))
    assert first.endswith("stalled for 13 s")
    assert "stalled" not in whole + second
    assert "stalled for 10 s" in draw(totals, 32.0, Screen(60, 24))[0].plain


def test_a_blob_that_was_read_whole_waits_for_the_target() -> None:
    totals = under_way(1, 1)
    totals.take(BytesMoved(blob(0), 30 * MIB), 11.0)
    assert draw(totals, 30.0, Screen(60, 24))[1].plain.endswith("finishing")


def test_the_two_parts_of_a_bar_differ_without_colours_and_nothing_is_red() -> None:
    line = draw(under_way(1, 1), 10.0, Screen(80, 24))[1]
    assert "━╌" in line.plain
    assert "red" not in {str(span.style) for span in line.spans}
    # What is left is drawn with what a light screen shows as lightly as a dark one.
    rest = next(span for span in line.spans if "╌" in line.plain[span.start : span.end])
    assert str(rest.style) == "dim"


def test_a_screen_that_knows_only_ascii_gets_ascii() -> None:
    lines = draw(under_way(2, 30), 10.0, Screen(60, 24, ascii_only=True), "é" * 80)[:-1]
    assert "#." in lines[1].plain
    assert all(line.plain.isascii() for line in lines)


def test_while_manifests_are_read_it_says_so() -> None:
    totals = Totals(0.0)
    assert "looking up the image" in draw(totals, 0.0, Screen(60, 24))[0].plain
    totals.take(Resolved("docker.io/library/alpine:3", blob(0)), 0.0)
    totals.take(ReadingManifests(1), 0.0)
    totals.take(ReadingManifests(40), 0.0)
    (line,) = plain(draw(totals, 0.0, Screen(60, 24)))
    assert line.endswith("reading 41 manifests of docker.io/library/alpine:3")


def test_manifests_are_counted_once_the_blobs_are_there() -> None:
    totals = under_way(0, 1, finished=1)
    assert plain(draw(totals, 10.0, Screen(60, 24)))[-1] == "  0 of 3 manifests"


def test_small_blobs_get_a_bar_only_if_they_take_long() -> None:
    totals = Totals(0.0)
    totals.take(Planned(2, 2000, 1), 0.0)
    totals.take(BlobStarted(blob(0, 1000)), 0.0)
    assert plain(draw(totals, 0.5, Screen(60, 24)))[1:] == ["  +1 waiting"]
    assert len(draw(totals, 1.5, Screen(60, 24))) == 3


def test_a_verification_counts_what_was_checked() -> None:
    totals = Totals(0.0)
    totals.take(Checking(24, 24 * MIB), 0.0)
    assert draw(totals, 1.0, Screen(60, 24))[0].plain.startswith("0 of 24 checked ")


def test_text_of_a_registry_does_not_act_on_the_terminal() -> None:
    totals = Totals(0.0)
    totals.take(Resolved("\x1b[2Jevil.example/a:1", blob(0)), 0.0)
    assert "\x1b" not in "".join(plain(draw(totals, 0.0, Screen(60, 24), "\x1b]0;x\x07")))


def test_blobs_found_at_the_target_count_and_those_not_mounted_do_not_overflow() -> None:
    totals = Totals(0.0)
    totals.take(Planned(1, 40 * MIB, 1), 0.0)
    totals.take(BlobFinished(blob(0), "present", "r.example/a"), 1.0)
    assert (totals.finished, totals.blobs, totals.moved) == (1, 1, totals.size)
    # One that was to be mounted is sent after all.
    totals.take(BlobStarted(blob(1)), 1.0)
    totals.take(BlobFinished(blob(1), "copied", "r.example/a"), 2.0)
    assert (totals.finished, totals.blobs, totals.moved) == (2, 2, totals.size)
