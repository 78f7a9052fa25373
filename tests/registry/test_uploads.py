"""Uploads: mounted, sent, and believed only when the blob is there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from regimport.errors import AccessDenied, BrokenTransfer, RegimportError, RegistryError, Side
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.registry.blobs import has_blob
from regimport.registry.chunks import Chunking
from regimport.registry.upload_session import BlobUpload
from regimport.registry.uploads import UploadContext, start_upload
from registry.conftest import Sessions
from support.peers import Asked, Reply, web

_CONTENT = b"a layer"
_BLOB = Descriptor("application/octet-stream", Digest.of(_CONTENT), len(_CONTENT))
_HEAD = {"Content-Length": str(_BLOB.size), "Docker-Content-Digest": _BLOB.digest}
_OPENED = Reply(202, {"Location": "/v2/app/blobs/uploads/1?state=a%2Fb"})


def _registry(
    *,
    mount: Reply = _OPENED,
    post: Reply = _OPENED,
    put: Reply | None = None,
    head: Reply | None = None,
) -> Callable[[Asked], Reply]:
    """Answer each step of an upload; the blob is not there unless `head` says so."""

    def answer(asked: Asked) -> Reply:
        if asked.method == "POST":
            return mount if "mount=" in asked.url else post
        if asked.method == "PUT":
            return put or Reply(201)
        return head or Reply(404)

    return answer


def _start(sessions: Sessions, address: str, mount_from: str | None = None) -> BlobUpload | None:
    desk = UploadContext(sessions.access(address), Chunking(address))
    return start_upload(desk, _BLOB, mount_from)


def test_a_blob_goes_in_one_put_to_where_the_registry_says(sessions: Sessions) -> None:
    with web(_registry()) as server:
        upload = _start(sessions, server.address)
        assert upload is not None
        upload.send(iter([b"a ", b"layer"]))
        assert server.lines == [
            "POST /v2/app/blobs/uploads/",
            f"PUT /v2/app/blobs/uploads/1?state=a%2Fb&digest={_BLOB.digest.replace(':', '%3A')}",
        ]
        assert server.asked[1].body == _CONTENT


def test_a_mount_that_is_made_needs_nothing_more(sessions: Sessions) -> None:
    with web(_registry(mount=Reply(201))) as server:
        assert _start(sessions, server.address, "base") is None
        assert len(server.asked) == 1


def test_a_mount_that_is_not_made_is_an_upload_already(sessions: Sessions) -> None:
    with web(_registry()) as server:
        assert _start(sessions, server.address, "base") is not None
        assert len(server.asked) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 500])
def test_a_mount_that_is_refused_is_asked_again_without_it(status: int, sessions: Sessions) -> None:
    with web(_registry(mount=Reply(status))) as server:
        assert _start(sessions, server.address, "base") is not None
        assert server.lines[-1] == "POST /v2/app/blobs/uploads/"


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_start_that_claims_to_be_the_end_is_believed_only_of_a_stored_blob(
    status: int, sessions: Sessions
) -> None:
    with web(_registry(post=Reply(status), head=Reply(200, _HEAD))) as server:
        assert _start(sessions, server.address) is None
        assert server.asked[-1].method == "HEAD"
    with web(_registry(post=Reply(status))) as server, pytest.raises(RegistryError):
        _start(sessions, server.address)


@pytest.mark.parametrize(("status", "kind"), [(401, AccessDenied), (403, AccessDenied)])
def test_a_start_that_is_refused_is_an_error(
    status: int, kind: type[RegimportError], sessions: Sessions
) -> None:
    with web(_registry(post=Reply(status))) as server, pytest.raises(kind):
        _start(sessions, server.address)


def _send(sessions: Sessions, put: Reply, head: Reply | None = None) -> None:
    with web(_registry(put=put, head=head)) as server:
        upload = _start(sessions, server.address)
        assert upload is not None
        upload.send(iter([_CONTENT]))


@pytest.mark.parametrize("status", [200, 202, 204, 400, 404, 500, 503])
def test_a_put_is_good_if_the_blob_is_there_whatever_it_answers(
    status: int, sessions: Sessions
) -> None:
    _send(sessions, Reply(status), Reply(200, _HEAD))


@pytest.mark.parametrize("status", [200, 202, 204, 404, 416, 401, 408, 429, 500, 503])
def test_a_put_that_stored_nothing_may_go_better_in_another_session(
    status: int, sessions: Sessions
) -> None:
    with pytest.raises(BrokenTransfer):
        _send(sessions, Reply(status))


@pytest.mark.parametrize("code", ["BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"])
def test_a_session_that_was_lost_may_go_better_in_another(code: str, sessions: Sessions) -> None:
    with pytest.raises(BrokenTransfer):
        _send(sessions, Reply.json({"errors": [{"code": code}]}, 400))


@pytest.mark.parametrize("status", [400, 403, 405, 413])
def test_a_put_that_is_refused_is_an_error_that_stays(status: int, sessions: Sessions) -> None:
    with pytest.raises(RegistryError):
        _send(sessions, Reply(status))


@pytest.mark.parametrize(
    "head",
    [
        {**_HEAD, "Content-Length": "0"},
        {**_HEAD, "Content-Length": "8"},
        {**_HEAD, "Docker-Content-Digest": Digest.of(b"other")},
    ],
)
def test_a_head_that_speaks_of_something_else_does_not_count(
    head: dict[str, str], sessions: Sessions
) -> None:
    with pytest.raises(BrokenTransfer):
        _send(sessions, Reply(204), Reply(200, head))


def test_a_source_that_forbids_the_question_is_an_error(sessions: Sessions) -> None:
    with web(lambda _: Reply(403)) as server:
        assert not has_blob(sessions.access(server.address), _BLOB)
        with pytest.raises(AccessDenied):
            has_blob(sessions.access(server.address, Side.SOURCE), _BLOB)
