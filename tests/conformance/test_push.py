"""Push: blobs in every way the specification has, mounts, manifests of every kind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from layout.images import (
    CONFIG,
    LAYER,
    Image,
    describe,
    make_image,
    make_index,
    make_manifest,
)
from regimport.models.digest import Digest
from regimport.models.mediatype import ACCEPT_MANIFESTS, OCI_INDEX, OCI_MANIFEST
from server.client import Answer, Client

BLOB = bytes(range(256)) * 12
THIRD = len(BLOB) // 3
EXAMPLE = "application/vnd.example.thing"


def post_then_put(client: Client, name: str, content: bytes, digest: str) -> Answer:
    return client.finish(client.start(name).location, digest, content)


def post_alone(client: Client, name: str, content: bytes, digest: str) -> Answer:
    return client.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", content)


def stream_then_put(client: Client, name: str, content: bytes, digest: str) -> Answer:
    answer = client.ask("PATCH", client.start(name).location, iter([content]))
    assert answer.status == 202
    return client.finish(answer.location, digest)


def chunks_then_put(client: Client, name: str, content: bytes, digest: str) -> Answer:
    location = send_chunks(client, client.start(name).location, content)
    return client.finish(location, digest)


def chunks_the_last_with_put(client: Client, name: str, content: bytes, digest: str) -> Answer:
    location = send_chunks(client, client.start(name).location, content[:-1])
    last = len(content) - 1
    return client.finish(location, digest, content[-1:], content_range=f"{last}-{last}")


def send_chunks(client: Client, location: str, content: bytes) -> str:
    for first in range(0, len(content), THIRD):
        chunk = content[first : first + THIRD]
        last = first + len(chunk) - 1
        answer = client.ask("PATCH", location, chunk, content_range=f"{first}-{last}")
        assert answer.status == 202
        assert answer.headers["range"] == f"0-{last}"
        location = answer.location
    return location


every_way = pytest.mark.parametrize(
    "push",
    [post_then_put, post_alone, stream_then_put, chunks_then_put, chunks_the_last_with_put],
)
Push = Callable[[Client, str, bytes, str], Answer]


@every_way
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_blob_is_pushed(client: Client, repository: str, push: Push, algorithm: str) -> None:
    digest = Digest.of(BLOB, algorithm)
    answer = push(client, repository, BLOB, digest)
    assert answer.status == 201
    assert answer.headers.get("docker-content-digest", digest) == digest
    assert client.ask("GET", answer.location).body == BLOB
    assert client.get_blob(repository, digest).body == BLOB


@every_way
def test_a_blob_that_is_not_its_digest_is_refused(
    client: Client, repository: str, push: Push
) -> None:
    digest = Digest.of(BLOB)
    answer = push(client, repository, BLOB[:-5] + b"oh no", digest)
    assert (answer.status, answer.codes) == (400, ["DIGEST_INVALID"])
    assert client.get_blob(repository, digest).status == 404


@pytest.mark.parametrize("content", [b"", b"{}"], ids=["no byte", "the empty JSON"])
@pytest.mark.parametrize("push", [post_then_put, post_alone, stream_then_put])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_tiny_blob_is_pushed(
    client: Client, repository: str, push: Push, content: bytes, algorithm: str
) -> None:
    digest = Digest.of(content, algorithm)
    assert push(client, repository, content, digest).status == 201
    assert client.get_blob(repository, digest).body == content
    head = client.ask("HEAD", f"/v2/{repository}/blobs/{digest}")
    assert head.headers["content-length"] == str(len(content))


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_chunks_out_of_order_are_refused_and_the_session_goes_on(
    client: Client, repository: str, method: str
) -> None:
    digest, location = Digest.of(BLOB), client.start(repository).location
    for first in range(0, len(BLOB), THIRD):
        wrong = 0 if first else THIRD
        ahead = f"{wrong}-{wrong + THIRD - 1}"
        target = f"{location}?digest={digest}" if method == "PUT" else location
        refused = client.ask(method, target, BLOB[wrong : wrong + THIRD], content_range=ahead)
        assert refused.status == 416
        status = client.ask("GET", location)
        assert status.status == 204
        if first:
            assert status.headers["range"] == f"0-{first - 1}"
        location = status.location
        here = f"{first}-{first + THIRD - 1}"
        taken = client.ask("PATCH", location, BLOB[first : first + THIRD], content_range=here)
        assert taken.status == 202
        location = taken.location
    assert client.finish(location, digest).status == 201


def test_an_upload_is_cancelled(client: Client, repository: str) -> None:
    location = client.start(repository).location
    client.ask("PATCH", location, BLOB)
    assert client.ask("DELETE", location).status == 204
    answer = client.ask("GET", location)
    assert (answer.status, answer.codes) == (404, ["BLOB_UPLOAD_UNKNOWN"])
    assert client.finish(location, Digest.of(BLOB)).status == 404


@pytest.mark.parametrize("named", [True, False], ids=["from a repository", "from anywhere"])
def test_a_blob_is_mounted(
    client: Client, repository: str, other_repository: str, named: bool
) -> None:
    digest = client.push_blob(other_repository, BLOB)
    source = f"&from={other_repository}" if named else ""
    answer = client.start(repository, f"?mount={digest}{source}")
    assert answer.status == 201
    assert client.ask("GET", answer.location).body == BLOB
    assert client.get_blob(repository, digest).body == BLOB


@pytest.mark.parametrize("named", [True, False], ids=["from a repository", "from anywhere"])
def test_a_mount_of_what_is_not_there_becomes_an_upload(
    client: Client, repository: str, other_repository: str, named: bool
) -> None:
    content = repository.encode()
    source = f"&from={other_repository}" if named else ""
    answer = client.start(repository, f"?mount={Digest.of(content)}{source}")
    assert answer.status == 202
    assert client.finish(answer.location, Digest.of(content), content).status == 201


IMAGES = {
    "image": make_image("plain"),
    "sha512": make_image("sha512", algorithm="sha512"),
    "index": make_index(make_image("a"), make_image("b")),
    "nested index": make_index(make_index(make_image("a")), make_index(make_image("b"))),
    "empty index": make_index(),
    "unknown members": make_index(make_image("u", unknown=[1]), **{"x-unknown": {"deep": None}}),
    "no layers": make_image("none", layers=[]),
    "artifact": make_image("artifact", artifactType=EXAMPLE),
    "index of artifacts": make_index(make_image("i", artifactType=EXAMPLE), artifactType=EXAMPLE),
    "missing subject": make_image("m", subject=describe(b"missing", OCI_MANIFEST)),
    "index with subject": make_index(make_image("s"), subject=describe(b"missing", OCI_INDEX)),
    "large": make_image("large", annotations={f"a-{n}": "A" * 10_000 for n in range(390)}),
    "data in a descriptor": make_image(
        "data", config={**describe(b"{}", "application/vnd.oci.empty.v1+json"), "data": "e30="}
    ),
    "foreign layer": make_image(
        "foreign",
        layers=[
            {
                **describe(b"far", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
                "urls": ["https://store.example.com/blob"],
            }
        ],
    ),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_every_kind_of_manifest_is_pushed_by_digest_and_by_tag(
    client: Client, repository: str, kind: str
) -> None:
    image = IMAGES[kind]
    client.push_blob(repository, b"{}")
    client.push(repository, image)
    for reference in (image.root.digest, "tag"):
        if reference == "tag" and image.root.digest.algorithm != "sha256":
            continue  # by tag, a registry names it by sha256
        answer = client.put(repository, image.root, reference)
        assert answer.status == 201
        named = answer.headers.get("docker-content-digest", image.root.digest)
        assert named == image.root.digest
        pulled = client.ask("GET", answer.location, accept=ACCEPT_MANIFESTS)
        assert pulled.body == image.root.raw
        pulled = client.get_manifest(repository, reference)
        assert pulled.body == image.root.raw
        assert pulled.headers["content-type"] == image.root.media_type
        if image.root.subject is not None:
            assert answer.headers["oci-subject"] == image.root.subject.digest


def test_a_manifest_is_refused_where_the_digest_is_none(client: Client, repository: str) -> None:
    image = make_image("bad digest")
    client.push(repository, image)
    assert client.put(repository, image.root, "sha256:baddigeststring").status == 400


def test_a_manifest_without_its_blobs_is_refused(client: Client, repository: str) -> None:
    image: Image = make_image(repository)
    answer = client.put(repository, image.root, "latest")
    assert answer.status in {400, 404}
    assert answer.codes[0] in {"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"}
    assert client.get_manifest(repository, "latest").status == 404


def test_a_tag_is_moved_by_another_push(client: Client, repository: str) -> None:
    for name in ("first", "second"):
        client.push(repository, make_image(name), "latest")
    pulled = client.get_manifest(repository, "latest")
    assert pulled.body == make_image("second").root.raw


def test_one_blob_serves_as_config_and_layer(client: Client, repository: str) -> None:
    digest = client.push_blob(repository, b"{}")
    manifest = make_manifest(
        {
            "mediaType": OCI_MANIFEST,
            "config": describe(b"{}", CONFIG),
            "layers": [describe(b"{}", LAYER), describe(b"{}", LAYER)],
        }
    )
    assert manifest.blobs()[0].digest == digest
    assert client.put(repository, manifest, "twice").status == 201
