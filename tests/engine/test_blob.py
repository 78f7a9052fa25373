"""Blobs that break off on the way: gone on with where they stopped, and never wrong."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from regimport.engine import reading
from regimport.engine.blob import BlobMover, Outcome
from regimport.engine.retrying import RetryContext
from regimport.engine.workers import Workers
from regimport.errors import BrokenTransfer, ContentMismatch, RegistryError, Side
from regimport.events import Retrying
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.registry.repository import Repository
from registry.conftest import IMPATIENT, Sessions
from support.shaky import Ranges, Shaky, Ways, shaky

SIZE = 3_000_000
CONTENT = random.Random(4).randbytes(SIZE)
BLOB = Descriptor("application/octet-stream", Digest.of(CONTENT), SIZE)
# What one attempt may cost above what is needed: what is on its way when a connection ends.
SLACK = 600_000


def move(
    sessions: Sessions, source: Shaky, targets: Sequence[Shaky], blob: Descriptor = BLOB
) -> tuple[list[Outcome], list[Retrying]]:
    ends = [Repository(sessions.open(one.address, Side.TARGET), "app") for one in targets]
    origin = Repository(sessions.open(source.address), "app")
    with Workers(1) as workers:
        moved = BlobMover(origin, RetryContext(IMPATIENT, workers, sessions)).move(blob, ends)
    return moved.outcomes, [event for event in sessions.told if isinstance(event, Retrying)]


@pytest.mark.parametrize("times", [1, 9])
def test_a_download_that_breaks_goes_on_into_the_same_upload(
    times: int, sessions: Sessions
) -> None:
    cuts = Ways(cut_downloads=[300_000] * times)
    with shaky(cuts) as source, shaky() as target:
        source.blobs[BLOB.digest] = CONTENT
        outcomes, retries = move(sessions, source, [target])
        assert outcomes == [Outcome(moved=True)]
        assert target.blobs[BLOB.digest] == CONTENT
        assert source.ranges == [f"bytes={300_000 * n}-" for n in range(1, times + 1)]
        assert source.served == SIZE
        assert [target.count(method) for method in ("POST", "PUT", "PATCH")] == [1, 1, 0]
        assert [(one.side, one.attempt) for one in retries] == [(Side.SOURCE, 1)] * times


def test_a_download_that_brings_nothing_more_is_given_up(sessions: Sessions) -> None:
    with shaky(Ways(cut_downloads=[1000, *[0] * 9])) as source, shaky() as target:
        source.blobs[BLOB.digest] = CONTENT
        [outcome], _ = move(sessions, source, [target])
        assert isinstance(outcome.error, BrokenTransfer)
        assert outcome.error.side is Side.SOURCE
        assert len(source.ranges) == IMPATIENT.attempts - 1
        assert not target.blobs
        assert not target.sessions, "the upload was not given back"


@pytest.mark.parametrize("ranges", ["ignored", "shifted", "unsatisfiable", "encoded", "unnamed"])
def test_a_part_that_is_not_the_rest_is_never_appended(ranges: Ranges, sessions: Sessions) -> None:
    with shaky(Ways(cut_downloads=[1_000_000], ranges=ranges)) as source, shaky() as target:
        source.blobs[BLOB.digest] = CONTENT
        outcomes, _ = move(sessions, source, [target])
        assert outcomes == [Outcome(moved=True)]
        assert target.blobs[BLOB.digest] == CONTENT
        assert [target.count(method) for method in ("POST", "PUT")] == [1, 1]


def test_a_bad_reading_is_read_again_from_the_start_once(sessions: Sessions) -> None:
    with shaky() as source, shaky() as target:
        lies = iter([bytes([CONTENT[0] ^ 1]) + CONTENT[1:], CONTENT])
        source.blobs = _Changing(lies)
        outcomes, retries = move(sessions, source, [target])
        assert outcomes == [Outcome(moved=True)]
        assert target.blobs == {BLOB.digest: CONTENT}
        assert source.ranges == []
        assert len(retries) == 1
        assert target.count("DELETE") == 1


def test_a_source_that_lies_completes_nothing(sessions: Sessions) -> None:
    with shaky() as source, shaky() as target:
        source.blobs[BLOB.digest] = CONTENT[:-1] + b"?"
        [outcome], _ = move(sessions, source, [target])
        assert isinstance(outcome.error, ContentMismatch)
        assert source.count("GET") == 2
        assert (target.blobs, target.sessions) == ({}, {})


def test_a_source_that_breaks_off_and_goes_on_with_other_bytes_completes_nothing(
    sessions: Sessions,
) -> None:
    with shaky(Ways(cut_downloads=[1_000_000] * 2)) as source, shaky() as target:
        other = bytes(SIZE)
        source.blobs = _Changing(iter([CONTENT, other, CONTENT, other]))
        [outcome], _ = move(sessions, source, [target])
        assert isinstance(outcome.error, ContentMismatch)
        assert not target.blobs


def test_an_upload_that_breaks_goes_on_in_its_session(sessions: Sessions) -> None:
    with shaky() as source, shaky(Ways(cut_uploads=[2_000_000, 400_000])) as target:
        source.blobs[BLOB.digest] = CONTENT
        outcomes, retries = move(sessions, source, [target])
        assert outcomes == [Outcome(moved=True)]
        assert target.blobs[BLOB.digest] == CONTENT
        assert target.taken == SIZE, "bytes went into the session twice"
        assert [target.count(m) for m in ("POST", "PUT", "PATCH")] == [1, 2, 2]
        assert [one.side for one in retries] == [Side.TARGET] * 2


def test_an_upload_whose_session_is_lost_starts_anew(sessions: Sessions) -> None:
    with shaky() as source, shaky(Ways(cut_uploads=[2_000_000], sessions="lost")) as target:
        source.blobs[BLOB.digest] = CONTENT
        outcomes, _ = move(sessions, source, [target])
        assert outcomes == [Outcome(moved=True)]
        assert target.blobs[BLOB.digest] == CONTENT
        assert [target.count(m) for m in ("POST", "PUT", "PATCH")] == [2, 2, 0]


def test_an_upload_that_never_gets_on_is_given_up(sessions: Sessions) -> None:
    ways = Ways(cut_uploads=[1000] * 99, sessions="lost")
    with shaky() as source, shaky(ways) as target:
        source.blobs[BLOB.digest] = CONTENT
        [outcome], _ = move(sessions, source, [target])
        assert isinstance(outcome.error, BrokenTransfer)
        assert target.count("POST") == IMPATIENT.attempts


def test_an_upload_gets_there_as_long_as_each_attempt_brings_more(sessions: Sessions) -> None:
    with shaky() as source, shaky(Ways(cut_uploads=[250_000] * 11)) as target:
        source.blobs[BLOB.digest] = CONTENT
        outcomes, _ = move(sessions, source, [target])
        assert outcomes == [Outcome(moved=True)]
        assert (target.blobs[BLOB.digest], target.taken) == (CONTENT, SIZE)


@pytest.fixture
def close_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash's state is kept often, and few of them are."""
    monkeypatch.setattr(reading, "_INTERVAL", 10_000)
    monkeypatch.setattr(reading, "_MOST_MARKS", 4)


@pytest.mark.usefixtures("close_marks")
def test_what_is_missing_is_read_from_near_where_it_starts(sessions: Sessions) -> None:
    with shaky() as source, shaky(Ways(cut_uploads=[2_500_000])) as target:
        source.blobs[BLOB.digest] = CONTENT
        outcomes, _ = move(sessions, source, [target])
        assert outcomes == [Outcome(moved=True)]
        [asked] = source.ranges
        assert 0 < int(asked.removeprefix("bytes=").removesuffix("-")) <= 2_500_000


@pytest.mark.usefixtures("close_marks")
def test_nothing_of_a_bad_reading_is_trusted_later(sessions: Sessions) -> None:
    with shaky() as source, shaky(Ways(cut_uploads=[SIZE, 2_500_000])) as target:
        source.blobs = _Changing(iter([b"?" + CONTENT[1:], CONTENT, CONTENT]))
        outcomes, _ = move(sessions, source, [target])
        assert outcomes == [Outcome(moved=True)]
        assert target.blobs[BLOB.digest] == CONTENT


def test_of_several_targets_only_the_broken_one_is_sent_more(sessions: Sessions) -> None:
    with shaky() as source, shaky(Ways(cut_uploads=[1_500_000])) as broken, shaky() as whole:
        source.blobs[BLOB.digest] = CONTENT
        outcomes, _ = move(sessions, source, [whole, broken])
        assert outcomes == [Outcome(moved=True)] * 2
        assert broken.blobs == whole.blobs == {BLOB.digest: CONTENT}
        assert (whole.taken, broken.taken) == (SIZE, SIZE)


def test_what_a_target_calls_wrong_is_sent_anew_once(sessions: Sessions) -> None:
    with shaky() as source, shaky(Ways(cut_uploads=[1_000_000])) as target:
        source.blobs[BLOB.digest] = CONTENT
        keep = target.sessions
        target.sessions = _Doubling(keep)
        outcomes, _ = move(sessions, source, [target])
        assert outcomes == [Outcome(moved=True)]
        assert target.blobs[BLOB.digest] == CONTENT


def test_a_refusal_that_stays_is_told_at_once(sessions: Sessions) -> None:
    with shaky() as source, shaky(Ways(puts=[400])) as target:
        source.blobs[BLOB.digest] = CONTENT
        [outcome], retries = move(sessions, source, [target])
        assert isinstance(outcome.error, RegistryError)
        assert retries == []
        assert not target.sessions


class _Changing(dict[str, bytes]):
    """Blobs that are other bytes each time they are asked for."""

    def __init__(self, contents: object) -> None:
        self._contents = contents

    def __getitem__(self, _: str) -> bytes:
        return next(self._contents)  # type: ignore[call-overload, no-any-return]


class _Doubling(dict[str, bytearray]):
    """Sessions of which the first one stores a wrong byte once it has been asked about."""

    def __init__(self, first: dict[str, bytearray]) -> None:
        super().__init__(first)
        self._spoilt = False

    def get(self, name: str, default: object = None) -> bytearray | None:  # type: ignore[override]
        held = super().get(name)
        if held and not self._spoilt:
            self._spoilt = True
            held[0] ^= 1
        return held
