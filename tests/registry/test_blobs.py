"""Blobs that are served as they should not be."""

from __future__ import annotations

import pytest

from regimport.errors import ContentMismatch, NotFound, Side, Unreachable
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.registry.blobs import has_blob, read_blob
from registry.conftest import Sessions
from support.peers import Reply, web

_CONTENT = b"a layer"
_BLOB = Descriptor("application/octet-stream", Digest.of(_CONTENT), len(_CONTENT))


def _read(sessions: Sessions, reply: Reply) -> bytes:
    with (
        web(lambda _: reply) as server,
        read_blob(sessions.access(server.address, Side.SOURCE), _BLOB) as pieces,
    ):
        return b"".join(bytes(piece) for piece in pieces)


def test_a_blob_is_read_as_it_is(sessions: Sessions) -> None:
    assert _read(sessions, Reply(200, {}, _CONTENT)) == _CONTENT


def test_a_blob_of_another_length_is_a_mismatch_before_it_is_read(sessions: Sessions) -> None:
    with pytest.raises(ContentMismatch):
        _read(sessions, Reply(200, {}, b"longer than that"))


def test_a_blob_that_is_not_there_is_not_found(sessions: Sessions) -> None:
    with pytest.raises(NotFound):
        _read(sessions, Reply(404))


@pytest.mark.parametrize("status", [400, 404, 405])
def test_a_question_that_is_not_answered_is_taken_for_no(status: int, sessions: Sessions) -> None:
    with web(lambda _: Reply(status)) as server:
        assert not has_blob(sessions.access(server.address), _BLOB)


def test_a_question_at_which_a_target_fails_is_taken_for_no(sessions: Sessions) -> None:
    with web(lambda _: Reply(503)) as server:
        assert not has_blob(sessions.access(server.address), _BLOB)
        with pytest.raises(Unreachable):
            has_blob(sessions.access(server.address, Side.SOURCE), _BLOB)


def test_a_target_that_is_not_there_is_no_answer(sessions: Sessions) -> None:
    with web(lambda _: Reply(503)) as server:
        pass
    with pytest.raises(Unreachable):
        has_blob(sessions.access(server.address), _BLOB)
