"""Manifests: what may be put, how it is listed in index.json, what deleting leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from layout.images import (
    CONFIG,
    LAYER,
    assert_whole_layout,
    describe,
    make_image,
    make_index,
    make_manifest,
)
from regimport.models.digest import Digest
from regimport.models.manifest import MAX_MANIFEST_BYTES
from regimport.models.mediatype import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from server.client import Client

FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
HOLDER = "vnd.regimport.repository"


def listed(folder: Path) -> list[tuple[str, str]]:
    """Give the entries of index.json: a digest, and a name or the repository of an untagged one."""
    entries = json.loads((folder / "index.json").read_text())["manifests"]
    return [(entry["digest"], *entry["annotations"].values()) for entry in entries]


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_manifest_comes_back_byte_for_byte(client: Client, algorithm: str) -> None:
    image = make_image(algorithm=algorithm)
    client.push("one", image)
    answer = client.get_manifest("one", image.root.digest)
    assert answer.body == image.root.raw
    assert answer.headers["content-type"] == OCI_MANIFEST
    assert answer.headers["docker-content-digest"] == image.root.digest
    head = client.ask("HEAD", f"/v2/one/manifests/{image.root.digest}")
    assert (head.headers["content-length"], head.body) == (str(len(image.root.raw)), b"")


def test_tags_are_named_repository_and_tag_in_the_layout(client: Client, folder: Path) -> None:
    image = make_image()
    client.push("library/hello-world", image, "latest", "1")
    digest = image.root.digest
    names = ["library/hello-world:latest", "library/hello-world:1"]
    assert listed(folder) == [(digest, name) for name in names]
    assert_whole_layout(folder)


def test_untagged_manifests_name_their_repository_in_the_layout(
    client: Client, folder: Path
) -> None:
    image = make_image()
    client.push("one", image)
    client.push("two", image)
    client.push("two", image)
    assert listed(folder) == [(image.root.digest, "one"), (image.root.digest, "two")]


def test_what_an_index_names_is_not_listed_for_itself(client: Client, folder: Path) -> None:
    child = make_image("child")
    outer = make_index(make_index(child, make_image("b")), make_image("c"))
    client.push("one", outer, "latest")
    client.push("one", child)
    assert listed(folder) == [(outer.root.digest, "one:latest")]
    client.push("two", child)
    assert listed(folder)[1:] == [(child.root.digest, "two")]


def test_a_tag_that_moves_leaves_its_manifest_untagged(client: Client, folder: Path) -> None:
    old, new = make_image("old"), make_image("new")
    client.push("one", old, "latest")
    client.push("one", new, "latest")
    assert listed(folder) == [(new.root.digest, "one:latest"), (old.root.digest, "one")]
    assert client.get_manifest("one", old.root.digest).status == 200
    client.put("one", old.root, "latest")
    assert listed(folder) == [(old.root.digest, "one:latest"), (new.root.digest, "one")]


def test_a_deleted_tag_leaves_its_manifest_untagged(client: Client, folder: Path) -> None:
    image = make_image()
    client.push("one", image, "a", "b")
    for tag, left in (("a", ["one:b"]), ("b", ["one"])):
        assert client.ask("DELETE", f"/v2/one/manifests/{tag}").status == 202
        assert listed(folder) == [(image.root.digest, name) for name in left]
    assert client.get_manifest("one", image.root.digest).status == 200
    assert client.ask("DELETE", "/v2/one/manifests/a").codes == ["MANIFEST_UNKNOWN"]


def test_a_deleted_manifest_takes_its_tags_along(client: Client, folder: Path) -> None:
    image = make_image()
    client.push("one", image, "a", "b")
    client.push("two", image, "a")
    assert client.ask("DELETE", f"/v2/one/manifests/{image.root.digest}").status == 202
    assert client.tags("one") == []
    for reference in ("a", "b", image.root.digest):
        assert client.get_manifest("one", reference).codes == ["MANIFEST_UNKNOWN"]
    assert client.get_manifest("two", "a").body == image.root.raw
    client.ask("DELETE", f"/v2/two/manifests/{image.root.digest}")
    assert not (folder / "blobs/sha256" / image.root.digest.encoded).exists()


def test_a_deleted_index_leaves_its_children_listed(client: Client, folder: Path) -> None:
    children = make_image("a"), make_image("b")
    client.push("one", make_index(*children), "latest")
    digest = client.get_manifest("one", "latest").headers["docker-content-digest"]
    assert client.ask("DELETE", f"/v2/one/manifests/{digest}").status == 202
    assert listed(folder) == [(child.root.digest, "one") for child in children]
    assert_whole_layout(folder)


def test_a_deleted_child_is_gone_though_an_index_names_it(client: Client) -> None:
    child = make_image("child")
    client.push("one", make_index(child), "latest")
    assert client.ask("DELETE", f"/v2/one/manifests/{child.root.digest}").status == 202
    assert client.get_manifest("one", child.root.digest).status == 404
    assert client.get_manifest("one", "latest").status == 200


def test_a_manifest_whose_blobs_are_elsewhere_is_refused(client: Client) -> None:
    image = make_image()
    client.push("one", image)
    answer = client.put("two", image.root, "latest")
    assert (answer.status, answer.codes) == (400, ["MANIFEST_BLOB_UNKNOWN"])
    detail = json.loads(answer.body)["errors"][0]["detail"]
    assert [item["digest"] for item in detail] == list(image.blobs)
    assert client.get_manifest("two", "latest").codes == ["NAME_UNKNOWN"]


def test_an_index_whose_children_are_missing_is_refused(client: Client) -> None:
    image = make_image()
    answer = client.put("one", make_index(image).root)
    assert answer.codes == ["MANIFEST_BLOB_UNKNOWN"]
    client.push_blob("one", image.root.raw)  # as a blob it is no manifest of the repository
    assert client.put("one", make_index(image).root).codes == ["MANIFEST_BLOB_UNKNOWN"]


def test_foreign_layers_and_the_subject_may_be_missing(client: Client) -> None:
    config = b"{}"
    client.push_blob("one", config)
    manifest = make_manifest(
        {
            "mediaType": OCI_MANIFEST,
            "config": describe(config, CONFIG),
            "layers": [describe(b"not here", FOREIGN)],
            "subject": describe(b"neither", OCI_MANIFEST),
        }
    )
    answer = client.put("one", manifest, "latest")
    assert answer.status == 201
    assert answer.headers["oci-subject"] == Digest.of(b"neither")


def test_a_manifest_put_by_a_wrong_digest_is_refused(client: Client) -> None:
    image = make_image()
    client.push("one", image)
    answer = client.put("one", image.root, Digest.of(b"another"))
    assert (answer.status, answer.codes) == (400, ["DIGEST_INVALID"])


@pytest.mark.parametrize(
    "content_type", [None, "application/json", f"{OCI_MANIFEST}; charset=utf-8", OCI_MANIFEST]
)
def test_the_media_type_of_the_document_counts(client: Client, content_type: str | None) -> None:
    image = make_image()
    client.push("one", image)
    path = "/v2/one/manifests/latest"
    assert client.ask("PUT", path, image.root.raw, content_type=content_type).status == 201
    assert client.get_manifest("one", "latest").headers["content-type"] == OCI_MANIFEST


def test_without_a_media_type_in_the_document_the_header_counts(client: Client) -> None:
    config = b"{}"
    client.push_blob("one", config)
    raw = make_manifest({"config": describe(config, CONFIG), "layers": []}).raw
    path = "/v2/one/manifests/latest"
    assert client.ask("PUT", path, raw, content_type=DOCKER_MANIFEST).status == 201
    assert client.get_manifest("one", "latest").headers["content-type"] == DOCKER_MANIFEST


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not JSON",
        b"[]",
        b"{}",
        b'{"manifests": [], "layers": []}',
        b'{"config": {"mediaType": "x", "size": 1, "digest": "sha256:../../../etc/passwd"}}',
        b'{"manifests": [], "manifests": []}',
        b'{"manifests": [], "mediaType": "' + OCI_MANIFEST.encode() + b'"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_manifest_is_refused(client: Client, raw: bytes) -> None:
    answer = client.ask("PUT", "/v2/one/manifests/latest", raw, content_type=OCI_INDEX)
    assert (answer.status, answer.codes) == (400, ["MANIFEST_INVALID"])


def test_a_manifest_beyond_the_limit_is_refused(client: Client) -> None:
    raw = b'{"manifests": []}' + b" " * MAX_MANIFEST_BYTES
    answer = client.ask("PUT", "/v2/one/manifests/latest", raw, content_type=OCI_INDEX)
    assert (answer.status, answer.codes) == (413, ["SIZE_INVALID"])


@pytest.mark.parametrize("reference", ["-dash", ".dot", "a" * 129, "a%20b", "%C3%BC"])
def test_what_is_no_tag_is_refused(client: Client, reference: str) -> None:
    answer = client.ask("PUT", f"/v2/one/manifests/{reference}", make_image().root.raw)
    assert (answer.status, answer.codes) == (400, ["MANIFEST_INVALID"])


@pytest.mark.parametrize(
    "name", ["UPPER", "a//b", "_blobs", "a/_manifests/b", "..", "a/%2e%2e/b", "a" * 256, "a_-b"]
)
def test_what_is_no_repository_is_refused(client: Client, folder: Path, name: str) -> None:
    answer = client.ask("PUT", f"/v2/{name}/manifests/latest", make_image().root.raw)
    assert (answer.status, answer.codes) == (400, ["NAME_INVALID"])
    assert client.start(name).codes == ["NAME_INVALID"]
    assert not (folder / "repositories").exists()


def test_repositories_may_be_named_like_parts_of_paths(client: Client) -> None:
    for name in ("blobs", "a/blobs", "manifests/tags", "x/blobs/uploads", "a", "a/b"):
        image = make_image(name)
        client.push(name, image, "latest")
        assert client.get_manifest(name, "latest").body == image.root.raw
        assert client.tags(name) == ["latest"]


def test_tags_in_the_query_of_a_put_by_digest_are_set(client: Client) -> None:
    image = make_image()
    client.push("one", image)
    answer = client.put("one", image.root, f"{image.root.digest}?tag=a&tag=b")
    assert answer.status == 201
    assert client.tags("one") == ["a", "b"]
    assert client.put("one", image.root, f"{image.root.digest}?tag=-").status == 400


def test_a_layer_may_be_another_manifest(client: Client) -> None:
    # A blob and a manifest may have the same bytes; each is held for itself.
    image = make_image()
    client.push("one", image, "latest")
    client.push_blob("one", image.root.raw)
    outer = make_manifest(
        {
            "mediaType": OCI_MANIFEST,
            "config": describe(image.root.raw, CONFIG),
            "layers": [describe(image.root.raw, LAYER)],
        }
    )
    assert client.put("one", outer, "outer").status == 201
    client.ask("DELETE", f"/v2/one/manifests/{image.root.digest}")
    assert client.get_blob("one", image.root.digest).body == image.root.raw
