"""Blobs that are hashed in a second thread while their pieces are sent."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from engine.memory import Memory, Told
from regimport.engine import reading
from regimport.engine.reading import BlobReader
from regimport.engine.retrying import RetryContext
from regimport.engine.workers import Workers
from regimport.errors import BrokenTransfer, ContentMismatch, Interrupted
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest, Verifier
from regimport.options import RetryPolicy

PIECE = 1000
CONTENT = random.Random(6).randbytes(20 * PIECE + 1)
BLOB = Descriptor("application/octet-stream", Digest.of(CONTENT), len(CONTENT))


class Reusing(Memory):
    """A source that hands every piece out in the same buffer, as connections do.

    It breaks off once before each of the bytes in `breaks`.
    """

    def __init__(self, content: bytes = CONTENT, breaks: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.blobs[BLOB.digest] = content
        self.starts: list[int] = []
        self.second_read = threading.Event()
        self._breaks = list(breaks)

    @contextmanager
    def read_blob(self, blob: Descriptor, start: int = 0) -> Iterator[Iterator[bytes]]:
        self.starts.append(start)
        yield self._pieces(self.blobs[blob.digest], start)

    def _pieces(self, content: bytes, start: int) -> Iterator[bytes]:
        buffer = bytearray(PIECE)
        for at in range(start, len(content), PIECE):
            if at > start:
                self.second_read.set()
            if self._breaks and at >= self._breaks[0]:
                self._breaks.pop(0)
                raise BrokenTransfer("gone")
            piece = content[at : at + PIECE]
            buffer[: len(piece)] = piece
            yield cast("bytes", memoryview(buffer)[: len(piece)])


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A blob of this size is a large one, and its hash's state is kept often."""
    monkeypatch.setattr(reading, "_LARGE", len(CONTENT))
    monkeypatch.setattr(reading, "_LEAST_HANDED_OVER", PIECE)
    monkeypatch.setattr(reading, "_INTERVAL", 3 * PIECE)


@pytest.fixture
def retry() -> Iterator[RetryContext]:
    with Workers(1) as workers:
        yield RetryContext(RetryPolicy(first_delay=0), workers, Told())


@pytest.fixture
def hashed_by(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of the thread that has hashed each piece."""
    names: list[str] = []
    update = Verifier.update

    def noting(self: Verifier, data: bytes | memoryview) -> None:
        names.append(threading.current_thread().name)
        update(self, data)

    monkeypatch.setattr(Verifier, "update", noting)
    return names


def read(source: Memory, retry: RetryContext, start: int = 0) -> bytes:
    return b"".join(bytes(piece) for piece in BlobReader(BLOB, source, retry).pieces(start))


def second_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "regimport-second"]


def test_a_large_blob_is_hashed_in_a_second_thread_but_for_its_last_piece(
    retry: RetryContext, hashed_by: list[str]
) -> None:
    assert read(Reusing(), retry) == CONTENT
    assert hashed_by == ["regimport-second"] * 20 + [threading.current_thread().name]
    assert not second_threads()


def test_a_smaller_blob_is_hashed_by_the_thread_that_reads_it(
    retry: RetryContext, hashed_by: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_LARGE", len(CONTENT) + 1)
    assert read(Reusing(), retry) == CONTENT
    assert set(hashed_by) == {threading.current_thread().name}


def test_a_piece_is_sent_while_it_is_hashed(
    retry: RetryContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hash does not end before the piece has been handed on."""
    sent = threading.Event()
    waits: list[bool] = []
    _before_each_hash(monkeypatch, lambda: waits.append(sent.wait(20)))
    pieces = BlobReader(BLOB, Reusing(), retry).pieces()
    assert next(pieces)
    sent.set()
    assert len(list(pieces)) == 20
    assert all(waits)


def test_the_buffer_of_a_piece_is_not_filled_again_before_its_hash_is_done(
    retry: RetryContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, early = Reusing(), list[bool]()

    def look() -> None:
        if not early:
            early.append(source.second_read.wait(0.2))

    _before_each_hash(monkeypatch, look)
    assert read(source, retry) == CONTENT
    assert early == [False]


def test_of_pieces_that_last_at_most_four_wait_to_be_hashed(
    retry: RetryContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    going_on = threading.Event()
    _before_each_hash(monkeypatch, lambda: going_on.wait(20))
    source = Memory(piece=PIECE)
    source.blobs[BLOB.digest] = CONTENT
    taken: list[int] = []
    fifth = threading.Event()

    def drain() -> None:
        for piece in BlobReader(BLOB, source, retry).pieces():
            taken.append(len(piece))
            if len(taken) == 4:
                fifth.set()

    reader = threading.Thread(target=drain)
    reader.start()
    assert fifth.wait(20)
    reader.join(0.2)
    assert len(taken) == 4
    going_on.set()
    reader.join(20)
    assert sum(taken) == len(CONTENT)


@pytest.mark.parametrize("at", [0, 9 * PIECE, len(CONTENT) - 1])
def test_the_last_piece_of_a_lie_is_never_yielded(at: int, retry: RetryContext) -> None:
    lie = CONTENT[:at] + bytes([CONTENT[at] ^ 1]) + CONTENT[at + 1 :]
    received: list[int] = []
    with pytest.raises(ContentMismatch):
        received.extend(map(len, BlobReader(BLOB, Reusing(lie), retry).pieces()))
    assert received == [PIECE] * 20
    assert not second_threads()


@pytest.mark.parametrize("more", [1, 2 * PIECE])
def test_a_blob_that_is_too_long_is_a_mismatch(more: int, retry: RetryContext) -> None:
    received: list[int] = []
    with pytest.raises(ContentMismatch, match="longer"):
        received.extend(map(len, BlobReader(BLOB, Reusing(CONTENT + bytes(more)), retry).pieces()))
    assert sum(received) < len(CONTENT)


def test_a_connection_that_breaks_is_gone_on_with_and_the_hash_is_right(
    retry: RetryContext,
) -> None:
    source = Reusing(breaks=(4 * PIECE, 11 * PIECE))
    assert read(source, retry) == CONTENT
    assert source.starts == [0, 4 * PIECE, 11 * PIECE]


def test_a_second_reading_starts_at_the_nearest_state_of_the_hash(retry: RetryContext) -> None:
    source = Reusing()
    reader = BlobReader(BLOB, source, retry)
    first = reader.pieces()
    for _ in range(9):
        next(first)
    first.close()
    assert b"".join(bytes(piece) for piece in reader.pieces(7500)) == CONTENT[7500:]
    assert source.starts == [0, 6 * PIECE]


def test_a_reading_that_is_stopped_or_left_ends_its_thread(retry: RetryContext) -> None:
    left = BlobReader(BLOB, Reusing(), retry).pieces()
    stopped = BlobReader(BLOB, Reusing(), retry).pieces()
    next(left)
    next(stopped)
    assert len(second_threads()) == 2
    left.close()
    retry.workers.stop.set()
    with pytest.raises(Interrupted):
        next(stopped)
    assert not second_threads()


def _before_each_hash(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have something done in the second thread before it hashes a piece."""
    update = Verifier.update

    def later(self: Verifier, data: bytes | memoryview) -> None:
        if threading.current_thread().name == "regimport-second":
            act()
        update(self, data)

    monkeypatch.setattr(Verifier, "update", later)
