"""The bound on how fast a run reads."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from regimport import CopyOptions, InvalidOptions, copy, verify
from regimport.engine.rate import Bucket, Throttled
from regimport.engine.workers import Workers
from regimport.errors import Interrupted
from regimport.events import BytesMoved, Event
from regimport.layout.reader import LayoutReader
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.server.run import serving
from support.client import Client
from support.images import many_platforms

RATE = 1000.0
# What may be made up for after a pause: a quarter of a second.
SAVED = RATE / 4


class Clock:
    """A clock that goes only when somebody waits, or the test says so."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waited: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds


@pytest.mark.parametrize("sizes", [[10_000], [1] * 10_000, [999, 1, 4000, 5000]])
def test_many_bytes_take_as_long_as_the_rate_says(sizes: list[int]) -> None:
    clock = Clock()
    bucket = Bucket(RATE, clock)
    for size in sizes:
        clock.wait(bucket.take(size))
    assert clock.now - 100.0 == pytest.approx(10.0, abs=0.001)


def test_in_no_span_of_time_comes_more_than_the_rate_and_a_quarter_of_a_second() -> None:
    clock = Clock()
    bucket = Bucket(RATE, clock)
    chance = random.Random(1)
    taken: list[tuple[float, int]] = []
    for _ in range(500):
        if chance.random() < 0.2:
            clock.now += chance.uniform(0, 3)  # nothing is read meanwhile
        size = chance.randint(1, 300)
        clock.wait(bucket.take(size))
        taken.append((clock.now, size))
    for first in range(0, len(taken), 7):
        begun, total = taken[first][0], 0
        for ended, size in taken[first + 1 :]:
            total += size
            assert total <= (ended - begun) * RATE + SAVED + 1


def test_all_workers_together_keep_the_rate() -> None:
    clock = Clock()
    bucket = Bucket(RATE, clock)
    waits: list[float] = []
    threads = [
        threading.Thread(target=lambda: waits.extend(bucket.take(100) for _ in range(50)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(waits) == pytest.approx(4 * 50 * 100 / RATE)


def test_a_large_piece_is_handed_on_in_steps(tmp_path: Path) -> None:
    content = random.Random(2).randbytes(int(RATE))
    blob = Descriptor("application/octet-stream", Digest.of(content), len(content))
    clock = Clock()

    class One(LayoutReader):
        @contextmanager
        def read_blob(self, blob: Descriptor, start: int = 0) -> Iterator[Iterator[bytes]]:
            yield iter([content[start:]])

    slow = Throttled(One(tmp_path), Bucket(RATE, clock), clock.wait)
    with slow.read_blob(blob, 200) as pieces:
        found = list(pieces)
    assert b"".join(found) == content[200:]
    assert max(map(len, found)) == RATE / 4
    assert sum(clock.waited) == pytest.approx(0.8)


def test_a_pause_ends_when_the_work_is_stopped(tmp_path: Path) -> None:
    with Workers(1) as workers:
        workers.stop.set()
        with pytest.raises(Interrupted):
            workers.pause(Bucket(1.0).take(3600))


def test_a_real_copy_pauses_as_long_as_its_bytes_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is waited for is counted, not measured."""
    waits: list[float] = []
    take = Bucket.take

    def counted(self: Bucket, count: int) -> float:
        assert count <= rate / 4 or count <= len(image.raw)
        waits.append(count / self.rate)
        return take(self, count)

    monkeypatch.setattr(Bucket, "take", counted)
    image = many_platforms(size=40_000)
    rate = 400_000
    options = CopyOptions(limit_rate=rate)
    moved: list[int] = []

    class Listener:
        def tell(self, event: Event) -> None:
            if isinstance(event, BytesMoved):
                moved.append(event.count)

    with serving(tmp_path / "a") as source, serving(tmp_path / "b") as target:
        Client(source.address).push("app", image, "1")
        names = (f"{source.address}/app:1", f"{target.address}/app")
        report = copy(*names, options=options, reporter=Listener())
        size = sum(map(len, image.content().values()))
        assert sum(waits) == pytest.approx(size / rate)
        assert sum(moved) == report.bytes_read == sum(map(len, image.blobs.values()))
        assert report.duration >= size / rate - 0.3
        waits.clear()
        assert not verify(*names, options=options).differences
        # The target's root once more, by its tag.
        assert sum(waits) == pytest.approx((2 * size + len(image.raw)) / rate)
        assert Client(target.address).read_all("app", "1") == image.content()


def test_a_rate_at_which_nothing_moves_is_refused() -> None:
    with pytest.raises(InvalidOptions):
        CopyOptions(limit_rate=0)
