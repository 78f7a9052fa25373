"""Manifests at a registry that answers well, badly, or something else."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from regimport.errors import AccessDenied, ContentMismatch, NotFound, RegistryError, Side, TagExists
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.registry.manifests import get_manifest, head_manifest, put_manifest
from registry.conftest import Sessions
from support.peers import Asked, Reply, web

_TYPE = "application/vnd.oci.image.index.v1+json"
_RAW = b'{ "schemaVersion": 2,\n "manifests": [] }'
_MANIFEST = Manifest.parse(_RAW, _TYPE)
_DIGEST = _MANIFEST.digest
_HEADERS = {
    "Content-Type": _TYPE,
    "Content-Length": str(len(_RAW)),
    "Docker-Content-Digest": _DIGEST,
}
_WHOLE = Reply(200, {"Content-Type": _TYPE}, _RAW)


def _by_method(**replies: Reply) -> Callable[[Asked], Reply]:
    return lambda asked: replies[asked.method]


def test_a_head_that_says_all_needs_no_get(sessions: Sessions) -> None:
    with web(_by_method(HEAD=Reply(200, _HEADERS))) as server:
        found = head_manifest(sessions.access(server.address, Side.SOURCE), "v1")
    assert found == _MANIFEST.descriptor


@pytest.mark.parametrize("missing", ["Docker-Content-Digest", "Content-Type"])
def test_a_head_that_says_too_little_is_asked_with_get(missing: str, sessions: Sessions) -> None:
    headers = {name: value for name, value in _HEADERS.items() if name != missing}
    with web(_by_method(HEAD=Reply(200, headers), GET=_WHOLE)) as server:
        found = head_manifest(sessions.access(server.address), "v1")
        assert [asked.method for asked in server.asked] == ["HEAD", "GET"]
    assert found == _MANIFEST.descriptor


def test_a_head_that_is_not_known_is_a_get_at_the_source_and_absence_at_the_target(
    sessions: Sessions,
) -> None:
    with web(_by_method(HEAD=Reply(405), GET=_WHOLE)) as server:
        source = sessions.access(server.address, Side.SOURCE)
        assert head_manifest(source, "v1") == _MANIFEST.descriptor
        assert head_manifest(sessions.access(server.address), "v1") is None


def test_a_forbidden_manifest_is_an_error_at_the_source_and_absence_at_the_target(
    sessions: Sessions,
) -> None:
    with web(_by_method(HEAD=Reply(403), GET=Reply(403))) as server:
        assert head_manifest(sessions.access(server.address), "v1") is None
        with pytest.raises(AccessDenied):
            head_manifest(sessions.access(server.address, Side.SOURCE), "v1")


def test_a_manifest_is_the_bytes_that_came(sessions: Sessions) -> None:
    with web(_by_method(GET=_WHOLE)) as server:
        assert get_manifest(sessions.access(server.address), _DIGEST).raw == _RAW


def test_other_bytes_than_asked_for_are_a_mismatch(sessions: Sessions) -> None:
    with web(_by_method(GET=_WHOLE)) as server, pytest.raises(ContentMismatch):
        get_manifest(sessions.access(server.address), Digest.of(b"other"))


def test_a_manifest_that_is_not_there_is_not_found(sessions: Sessions) -> None:
    with web(_by_method(GET=Reply(404), HEAD=Reply(404))) as server:
        access = sessions.access(server.address)
        assert head_manifest(access, "v1") is None
        with pytest.raises(NotFound):
            get_manifest(access, "v1")


def test_a_manifest_is_put_byte_for_byte(sessions: Sessions) -> None:
    with web(_by_method(PUT=Reply(201))) as server:
        put_manifest(sessions.access(server.address), _MANIFEST, "v1")
        assert server.lines == ["PUT /v2/app/manifests/v1"]
        assert server.asked[0].body == _RAW
        assert server.asked[0].headers["content-type"] == _TYPE


_FIXED = json.dumps({"errors": [{"code": "TAG_INVALID", "message": "tag is immutable"}]}).encode()


@pytest.mark.parametrize("status", [400, 405, 409, 412])
def test_a_fixed_tag_that_points_elsewhere_is_an_error_of_its_own(
    status: int, sessions: Sessions
) -> None:
    other = {**_HEADERS, "Docker-Content-Digest": Digest.of(b"other")}
    with web(_by_method(PUT=Reply(status, {}, _FIXED), HEAD=Reply(200, other))) as server:
        access = sessions.access(server.address)
        access.session._client._guess = None
        with pytest.raises(TagExists):
            put_manifest(access, _MANIFEST, "v1")


@pytest.mark.parametrize("status", [400, 405, 409, 412])
def test_a_fixed_tag_that_points_there_already_is_no_error(status: int, sessions: Sessions) -> None:
    with web(_by_method(PUT=Reply(status, {}, _FIXED), HEAD=Reply(200, _HEADERS))) as server:
        access = sessions.access(server.address)
        access.session._client._guess = None
        put_manifest(access, _MANIFEST, "v1")


@pytest.mark.parametrize("status", [400, 404, 405, 413, 415])
def test_a_put_that_is_refused_is_asked_once_and_names_the_type(
    status: int, sessions: Sessions
) -> None:
    with web(_by_method(PUT=Reply(status), GET=Reply(200))) as server:
        with pytest.raises(RegistryError) as raised:
            put_manifest(sessions.access(server.address), _MANIFEST, "v1")
        assert _TYPE in str(raised.value)
        assert sum(asked.method == "PUT" for asked in server.asked) == 1
