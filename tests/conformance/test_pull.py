"""Pull: manifests by tag and digest, blobs whole and in part, and what is not there."""

from __future__ import annotations

import pytest

from layout.images import Image, make_image, make_index
from regimport.models.digest import Digest
from server.client import Client

BLOB = bytes(range(256)) * 8
ABSENT = Digest.of(b"nobody pushed this")


@pytest.fixture
def pushed(client: Client, repository: str) -> Image:
    image = make_index(make_image("a"), make_image("b"))
    client.push(repository, image, "latest")
    return image


def test_the_registry_says_that_it_is_one(client: Client) -> None:
    assert client.ask("GET", "/v2/").status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("by", ["tag", "digest", "child digest"])
def test_a_manifest_is_pulled_as_it_was_pushed(
    client: Client, repository: str, pushed: Image, method: str, by: str
) -> None:
    manifest = pushed.manifests[0] if by == "child digest" else pushed.root
    reference = "latest" if by == "tag" else manifest.digest
    accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
    answer = client.ask(method, f"/v2/{repository}/manifests/{reference}", accept=accept)
    assert answer.status == 200
    assert answer.body == (manifest.raw if method == "GET" else b"")
    assert answer.headers["content-length"] == str(len(manifest.raw))
    assert answer.headers["content-type"] == manifest.media_type
    assert answer.headers.get("docker-content-digest", manifest.digest) == manifest.digest


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_blob_is_pulled_as_it_was_pushed(client: Client, repository: str, method: str) -> None:
    digest = client.push_blob(repository, BLOB)
    answer = client.ask(method, f"/v2/{repository}/blobs/{digest}")
    assert answer.status == 200
    assert answer.body == (BLOB if method == "GET" else b"")
    assert answer.headers["content-length"] == str(len(BLOB))
    assert answer.headers.get("docker-content-digest", digest) == digest


@pytest.mark.parametrize(
    ("wanted", "first", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=500-1499", 500, 1500),
        ("bytes=500-", 500, 2048),
        ("bytes=-500", 1548, 2048),
        ("bytes=2000-5000", 2000, 2048),
    ],
)
def test_a_part_of_a_blob_is_pulled(
    client: Client, repository: str, wanted: str, first: int, stop: int
) -> None:
    digest = client.push_blob(repository, BLOB)
    answer = client.get_blob(repository, digest, Range=wanted)
    assert (answer.status, answer.body) == (206, BLOB[first:stop])
    assert answer.headers["content-length"] == str(stop - first)
    assert answer.headers["content-range"] == f"bytes {first}-{stop - 1}/{len(BLOB)}"


@pytest.mark.parametrize("wanted", ["bytes=2048-", "bytes=5000-10000", "bytes=500-0"])
def test_a_part_that_a_blob_does_not_have_is_refused(
    client: Client, repository: str, wanted: str
) -> None:
    digest = client.push_blob(repository, BLOB)
    assert client.get_blob(repository, digest, Range=wanted).status == 416


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "path", [f"blobs/{ABSENT}", f"manifests/{ABSENT}", "manifests/no-such-tag"]
)
def test_what_was_not_pushed_is_not_found(
    client: Client, repository: str, pushed: Image, method: str, path: str
) -> None:
    answer = client.ask(method, f"/v2/{repository}/{path}")
    assert answer.status == 404
    if method == "GET":
        kind = "BLOB_UNKNOWN" if path.startswith("blobs") else "MANIFEST_UNKNOWN"
        assert answer.codes == [kind]


@pytest.mark.parametrize("path", ["blobs", "manifests"])
def test_what_is_no_digest_is_refused(client: Client, repository: str, path: str) -> None:
    assert client.ask("GET", f"/v2/{repository}/{path}/sha256:digest").status in {400, 404}
