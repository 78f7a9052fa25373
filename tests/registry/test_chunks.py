"""Uploads in chunks: when, how large, and what registries do with them."""

from __future__ import annotations

import random

import pytest

from regimport.engine.blob import BlobMover, Outcome
from regimport.engine.retrying import RetryContext
from regimport.engine.workers import Workers
from regimport.errors import RegistryError, Side
from regimport.events import Retrying
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.registry import chunks
from regimport.registry.chunks import CHUNK, LARGE, Chunking
from regimport.registry.repository import Repository
from registry.conftest import IMPATIENT, Sessions
from support.shaky import Shaky, Ways, shaky

SIZE = 900_000
CONTENT = random.Random(5).randbytes(SIZE)
BLOB = Descriptor("application/octet-stream", Digest.of(CONTENT), SIZE)
OTHER = Descriptor("application/octet-stream", Digest.of(CONTENT[1:]), SIZE - 1)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blobs of this size go in many chunks, and the sizes of bodies are a thousandth."""
    for name in ("_LEAST", "_BELOW_COMMON_LIMITS"):
        monkeypatch.setattr(chunks, name, getattr(chunks, name) // 1000)
    monkeypatch.setattr(chunks, "LARGE", 130_000)
    monkeypatch.setattr(chunks, "CHUNK", 65_000)


def move(sessions: Sessions, target: Shaky, *blobs: Descriptor) -> list[Outcome]:
    """Bring the blobs there, one after the other, in one run."""
    with shaky() as source, Workers(1) as workers:
        source.blobs = {BLOB.digest: CONTENT, OTHER.digest: CONTENT[1:]}
        origin = Repository(sessions.open(source.address), "app")
        end = Repository(sessions.open(target.address, Side.TARGET), "app")
        mover = BlobMover(origin, RetryContext(IMPATIENT, workers, sessions))
        return [mover.move(blob, [end]).outcomes[0] for blob in blobs or (BLOB,)]


@pytest.mark.parametrize(
    ("host", "size", "chunk"),
    [
        ("registry.example", LARGE - 1, None),
        ("registry.example", LARGE, LARGE // 2),
        ("registry.example", 2 * CHUNK - 1, CHUNK),
        ("registry.example", 2 * CHUNK + 1, CHUNK + 1),
        ("registry.example", 4 * CHUNK, CHUNK),
        ("notgcr.io", 2 * CHUNK, CHUNK),
        ("ghcr.io", LARGE, None),
        ("eu.gcr.io", LARGE, None),
        ("europe-docker.pkg.dev", LARGE, None),
        ("ghcr.io.example:5000", 2 * CHUNK, CHUNK),
    ],
)
def test_only_large_blobs_go_in_chunks_and_only_where_that_is_known_to_work(
    host: str, size: int, chunk: int | None
) -> None:
    blob = Descriptor("x", BLOB.digest, size)
    assert Chunking(host).chunk(blob, 0) == chunk


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("ways", [Ways(), Ways(patched=201), Ways(frozen_range=True)])
def test_a_large_blob_goes_in_chunks(ways: Ways, sessions: Sessions) -> None:
    with shaky(ways) as target:
        assert move(sessions, target) == [Outcome(moved=True)]
        assert target.blobs[BLOB.digest] == CONTENT
        assert (target.count("PATCH"), target.count("PUT")) == (13, 1)
        assert target.taken == SIZE


@pytest.mark.usefixtures("small")
def test_no_chunk_is_smaller_than_the_registry_wants(sessions: Sessions) -> None:
    with shaky(Ways(least_chunk=400_000)) as target:
        assert move(sessions, target) == [Outcome(moved=True)]
        assert target.count("PATCH") == 3


@pytest.mark.usefixtures("small")
def test_a_registry_that_takes_no_chunks_gets_every_blob_whole(sessions: Sessions) -> None:
    with shaky(Ways(refuses_chunks=True)) as target:
        assert move(sessions, target, BLOB, OTHER) == [Outcome(moved=True)] * 2
        assert target.blobs == {BLOB.digest: CONTENT, OTHER.digest: CONTENT[1:]}
        assert (target.count("PATCH"), target.count("PUT")) == (1, 2)
        assert not any(event.delay for event in sessions.told if isinstance(event, Retrying))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("status", [400, 404, 416])
def test_a_chunk_that_is_refused_after_others_were_taken_is_a_session_that_was_lost(
    status: int, sessions: Sessions
) -> None:
    with shaky(Ways(patches=[0, 0, status])) as target:
        assert move(sessions, target) == [Outcome(moved=True)]
        assert target.blobs[BLOB.digest] == CONTENT
        assert (target.count("POST"), target.count("PATCH")) == (2, 3 + 13)


@pytest.mark.usefixtures("small")
def test_a_chunk_that_breaks_is_gone_on_with_from_what_has_come(sessions: Sessions) -> None:
    with shaky(Ways(cut_uploads=[67_108, 67_108, 30_000])) as target:
        assert move(sessions, target) == [Outcome(moved=True)]
        assert target.blobs[BLOB.digest] == CONTENT
        assert (target.count("POST"), target.taken) == (1, SIZE)


@pytest.mark.parametrize("largest", [800_000, 50_000, 6_000])
def test_a_body_that_is_too_large_goes_in_smaller_and_smaller_pieces(
    largest: int, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_LEAST", "_BELOW_COMMON_LIMITS"):
        monkeypatch.setattr(chunks, name, getattr(chunks, name) // 1000)
    with shaky(Ways(largest=largest)) as target:
        assert move(sessions, target, BLOB, OTHER) == [Outcome(moved=True)] * 2
        assert target.blobs == {BLOB.digest: CONTENT, OTHER.digest: CONTENT[1:]}
        assert target.count("PUT") == 3, "the second blob was tried whole"


def test_a_limit_below_what_registries_take_as_parts_is_told(sessions: Sessions) -> None:
    with shaky(Ways(largest=800_000)) as target:
        [outcome] = move(sessions, target)
        assert isinstance(outcome.error, RegistryError)
        assert outcome.error.status == 413
        assert "proxy" in (outcome.error.hint or "")
        assert not target.sessions


def test_a_whole_blob_whose_connection_breaks_twice_goes_in_pieces(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_LEAST", "_BELOW_COMMON_LIMITS"):
        monkeypatch.setattr(chunks, name, getattr(chunks, name) // 1000)
    with shaky(Ways(cut_uploads=[1000, 1000], sessions="lost")) as target:
        assert move(sessions, target) == [Outcome(moved=True)]
        assert target.blobs[BLOB.digest] == CONTENT
        assert target.count("PATCH") > 1
