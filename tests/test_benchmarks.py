"""The benchmark's own arithmetic, and its line in real time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from benchmarks.cases import CASES
from benchmarks.images import IMAGES, MIB, Layer, measured
from benchmarks.line import LINES, Direction, Line
from benchmarks.proxy import through
from benchmarks.results import Cost, Growth, Row
from benchmarks.targets import TARGETS, Measure
from benchmarks.verdicts import Verdict, of_growth, of_rows

MEGABIT = Line(delay=0.040, rate=8e6)


def test_a_direction_lets_pieces_leave_one_after_the_other_at_the_rate() -> None:
    way = Direction(MEGABIT)
    assert way.leaves(1000, now=5.0) == pytest.approx(5.001)
    assert way.leaves(2000, now=5.0) == pytest.approx(5.003)


def test_a_direction_that_was_idle_saves_nothing_up() -> None:
    way = Direction(MEGABIT)
    way.leaves(1000, now=5.0)
    assert way.leaves(1000, now=9.0) == pytest.approx(9.001)


def test_a_line_without_a_rate_lets_everything_leave_at_once() -> None:
    assert Direction(Line(delay=0.040, rate=None)).leaves(1 << 30, now=5.0) == 5.0


def test_the_lines_own_time_is_that_of_one_direction() -> None:
    assert LINES["long"].line.own_time(50_000_000) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "platforms", "layers", "mebibytes"),
    [("hello", 8, 8, 0.019), ("many", 40, 121, 7.4), ("app", 8, 48, 340), ("big", 1, 1, 1024)],
)
def test_the_images_are_what_they_are_said_to_be(
    name: str, platforms: int, layers: int, mebibytes: float
) -> None:
    image = IMAGES[name]()
    assert len(image.platforms) == platforms
    assert len(image.layers) == layers
    assert sum(layer.size for layer in image.layers) / MIB == pytest.approx(mebibytes, rel=0.01)


def test_a_layer_is_a_gzip_file_and_the_same_each_time() -> None:
    layer = Layer("a", 3 * MIB + 1)
    content = b"".join(layer.content())
    assert content.startswith(b"\x1f\x8b\x08")
    assert len(content) == measured(layer)[1]
    assert content == b"".join(layer.content())


def _row(wall: float, theirs: float) -> Row:
    costs = {"regimport": [Cost(wall, 1.0, 30.0)], "skopeo": [Cost(theirs, 1.0, 30.0)]}
    return Row(LINES["loopback-tls"], CASES["hello"], 1000, costs, {})


@pytest.mark.parametrize(("wall", "said"), [(0.74, "reached"), (0.76, "NOT REACHED")])
def test_a_row_is_judged_by_the_targets_of_its_line_with_tls_or_without(
    wall: float, said: str
) -> None:
    ratio = next(one for one in of_rows([_row(wall, 1.0)], None) if one.measure is Measure.RATIO)
    assert (ratio.value, ratio.most, ratio.said) == (wall, 0.75, said)


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    assert Verdict("long", "again", Measure.REQUESTS, None, 1).said == "not measured"


def test_growth_is_judged_by_what_each_further_image_costs() -> None:
    series = [
        Growth("here", images, Cost(wall, float(images), 30.0))
        for images, wall in ((1, 5.0), (10, 5.9), (100, 23.9))
    ]
    verdicts = {one.measure: one for one in of_growth(series)}
    assert verdicts[Measure.TIME_GROWTH].value == pytest.approx(2.0)
    assert verdicts[Measure.TIME_GROWTH].said == "NOT REACHED"
    assert verdicts[Measure.CPU_GROWTH].value == pytest.approx(1.0)
    assert verdicts[Measure.MEMORY_GROWTH].said == "reached"


def test_every_target_is_of_a_case_and_a_line_that_there_are() -> None:
    assert {target.case for target in TARGETS} <= set(CASES)
    assert {target.line for target in TARGETS} <= set(LINES)


@pytest.fixture
def echo() -> Iterator[str]:
    """A server that sends back what it gets, on one connection."""

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            while piece := connection.recv(1 << 16):
                connection.sendall(piece)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_the_line_costs_a_round_trip_to_connect_and_one_to_answer(
    echo: str,
) -> None:
    with through(Line(delay=0.2, rate=8e6), [echo]) as proxy:
        host, _, port = proxy.addresses[0].partition(":")
        with socket.create_connection((host, int(port))) as connection:
            times = []
            for _ in range(2):
                start = time.monotonic()
                connection.sendall(bytes(100_000))
                left = 100_000
                while left:
                    left -= len(connection.recv(left))
                times.append(time.monotonic() - start)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""
        carried = proxy.close()
    # 0.2 to connect, 0.2 to and fro, 0.1 for the bytes (the way back begins before the end).
    assert times[0] >= 0.5
    assert times[1] >= 0.3
    assert [(one.connections, one.sent, one.received) for one in carried] == [(1, 200_000, 200_000)]
