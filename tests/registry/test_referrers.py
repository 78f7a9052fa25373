"""The referrers that a registry lists, and how it says that it lists none."""

from __future__ import annotations

import json

import pytest

from regimport.errors import AccessDenied, InvalidManifest, RegistryError, Unreachable
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.registry.manifests import put_manifest
from regimport.registry.referrers import list_referrers, peek
from registry.conftest import Sessions
from support.images import OCI_INDEX, OCI_MANIFEST, single
from support.peers import Asked, Reply, web
from support.publishers import oras

_SUBJECT = Digest.of(b"an image")
_KIND = "application/spdx+json"


def _entry(number: int) -> dict[str, object]:
    digest = Digest.of(str(number).encode())
    return {"mediaType": OCI_MANIFEST, "digest": digest, "size": 3, "artifactType": _KIND}


def _page(*numbers: int, link: str = "") -> Reply:
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(map(_entry, numbers))}
    headers = {"Content-Type": OCI_INDEX} | ({"Link": f"<{link}>; rel=next"} if link else {})
    return Reply(200, headers, json.dumps(index).encode())


def test_all_pages_are_read_and_each_entry_counts_once(sessions: Sessions) -> None:
    def answer(asked: Asked) -> Reply:
        return _page(2, 3) if "page=2" in asked.url else _page(1, 2, link="?page=2")

    with web(answer) as server:
        found = list_referrers(sessions.access(server.address), _SUBJECT)
        assert found is not None
        assert [str(entry.digest) for entry in found] == [_entry(n)["digest"] for n in (1, 2, 3)]
        assert [entry.artifact_type for entry in found] == [_KIND] * 3


def test_one_artifact_type_is_asked_for_by_name(sessions: Sessions) -> None:
    with web(lambda _: _page()) as server:
        assert list_referrers(sessions.access(server.address), _SUBJECT, _KIND) == ()
        assert server.asked[0].url.endswith("?artifactType=application%2Fspdx%2Bjson")


@pytest.mark.parametrize("status", [400, 404, 405, 406, 501])
def test_a_registry_without_the_api_says_so_in_many_ways(status: int, sessions: Sessions) -> None:
    with web(lambda _: Reply(status, {}, b'{"code":"UNKNOWN"}')) as server:
        assert list_referrers(sessions.access(server.address), _SUBJECT) is None
        # A 400 on loopback is a reason to look whether TLS is spoken there.
        assert sum("/referrers/" in asked.url for asked in server.asked) == 1


@pytest.mark.parametrize("body", [b"<html>welcome</html>", b'{"errors": []}', b"[]"])
def test_what_is_no_index_means_that_there_is_no_api(body: bytes, sessions: Sessions) -> None:
    with web(lambda _: Reply(200, {"Content-Type": "text/html"}, body)) as server:
        assert list_referrers(sessions.access(server.address), _SUBJECT) is None


@pytest.mark.parametrize(
    ("status", "error"), [(403, AccessDenied), (500, Unreachable), (503, Unreachable)]
)
def test_a_refusal_or_a_failure_is_not_taken_for_none(
    status: int, error: type[Exception], sessions: Sessions
) -> None:
    with web(lambda _: Reply(status, {}, b"")) as server, pytest.raises(error):
        list_referrers(sessions.access(server.address), _SUBJECT)


def test_an_index_that_cannot_be_read_is_an_error(sessions: Sessions) -> None:
    body = json.dumps({"schemaVersion": 2, "manifests": [{"digest": "blake3:00"}]}).encode()
    with (
        web(lambda _: Reply(200, {"Content-Type": OCI_INDEX}, body)) as server,
        pytest.raises(InvalidManifest),
    ):
        list_referrers(sessions.access(server.address), _SUBJECT)


@pytest.mark.parametrize("second", [404, 200])
def test_a_list_that_breaks_off_is_an_error(second: int, sessions: Sessions) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(second, {}, b"-") if "page" in asked.url else _page(1, link="?page=2")

    with web(answer) as server, pytest.raises(RegistryError):
        list_referrers(sessions.access(server.address), _SUBJECT)


@pytest.mark.parametrize(("cursor", "pages"), [("same", 2), ("{}", 100)])
def test_a_list_without_end_is_given_up(cursor: str, pages: int, sessions: Sessions) -> None:
    def answer(_: Asked) -> Reply:
        return _page(1, link="?page=" + cursor.format(len(server.asked)))

    with web(answer) as server:
        with pytest.raises(RegistryError, match="cannot be read to its end"):
            list_referrers(sessions.access(server.address), _SUBJECT)
        assert len(server.asked) == pages


@pytest.mark.parametrize("says", [True, False])
def test_a_registry_confirms_that_it_lists_a_referrer(says: bool, sessions: Sessions) -> None:
    published = oras()
    sbom = Manifest.parse(published.extras[0].content.raw, OCI_MANIFEST)
    headers = {"OCI-Subject": published.image.root} if says else {}
    with web(lambda _: Reply(201, headers, b"")) as server:
        client = sessions.access(server.address)
        assert put_manifest(client, sbom, sbom.digest) == says
        image = Manifest.parse(single().raw, OCI_MANIFEST)
        assert put_manifest(client, image, "v1")


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_look_at_what_belongs_to_an_image_is_made_once_whatever_comes(
    status: int, sessions: Sessions
) -> None:
    """It is not repeated, and what it is answered does not hold up other requests."""
    headers = {"Retry-After": "60", "WWW-Authenticate": 'Basic realm="x"'}

    def answer(asked: Asked) -> Reply:
        return Reply(status, headers, b"") if "referrers" in asked.url else _page()

    with web(answer) as server:
        client = sessions.access(server.address)
        assert peek(client, _SUBJECT) == []
        assert len(server.asked) == 1
        assert client.ask("GET", "tags/list").ok
        assert client.session.refused is None
        assert sessions.told == []


def test_a_look_costs_no_pull(sessions: Sessions) -> None:
    def answer(asked: Asked) -> Reply:
        if "/referrers/" in asked.url:
            return Reply(404, {}, b"")
        kind = OCI_MANIFEST if asked.url.endswith((".att", ".sbom")) else OCI_INDEX
        headers = {"Content-Type": kind, "Docker-Content-Digest": Digest.of(b"x")}
        return Reply(404 if asked.url.endswith(".att") else 200, headers, b"")

    with web(answer) as server:
        found = peek(sessions.access(server.address), _SUBJECT)
        tag = f"sha256-{_SUBJECT.encoded}"
        assert found == ["referrers", f"the tag {tag}.sig", f"the tag {tag}.sbom"]
        assert [asked.method for asked in server.asked] == ["GET", *["HEAD"] * 4]
