"""Content management: what is deleted is gone at once, and nothing else is."""

from __future__ import annotations

import pytest

from layout.images import describe, make_image, make_index
from regimport.models.digest import Digest
from regimport.models.mediatype import OCI_MANIFEST
from server.client import Client


def test_a_tag_is_deleted_and_its_manifest_stays(client: Client, repository: str) -> None:
    image = make_image()
    client.push(repository, image, "gone", "stays")
    assert client.ask("DELETE", f"/v2/{repository}/manifests/gone").status == 202
    assert client.get_manifest(repository, "gone").status == 404
    assert client.tags(repository) == ["stays"]
    for reference in ("stays", image.root.digest):
        assert client.get_manifest(repository, reference).body == image.root.raw


def test_a_manifest_is_deleted_with_its_tags(client: Client, repository: str) -> None:
    image = make_image()
    client.push(repository, image, "one", "two")
    assert client.ask("DELETE", f"/v2/{repository}/manifests/{image.root.digest}").status == 202
    for reference in ("one", "two", image.root.digest):
        for method in ("GET", "HEAD"):
            path = f"/v2/{repository}/manifests/{reference}"
            assert client.ask(method, path).status == 404


def test_an_index_and_its_children_are_deleted_from_the_root_down(
    client: Client, repository: str
) -> None:
    image = make_index(make_index(make_image("a")), make_image("b"))
    client.push(repository, image, "latest")
    for manifest in reversed(image.manifests):
        path = f"/v2/{repository}/manifests/{manifest.digest}"
        assert client.ask("HEAD", path).status == 200
        assert client.ask("DELETE", path).status == 202
        assert client.ask("HEAD", path).status == 404
    for digest in image.blobs:
        assert client.ask("DELETE", f"/v2/{repository}/blobs/{digest}").status == 202
        assert client.ask("HEAD", f"/v2/{repository}/blobs/{digest}").status == 404


def test_a_blob_is_deleted_from_its_repository_alone(
    client: Client, repository: str, other_repository: str
) -> None:
    digest = client.push_blob(repository, b"shared content")
    client.push_blob(other_repository, b"shared content")
    assert client.ask("DELETE", f"/v2/{repository}/blobs/{digest}").status == 202
    assert client.get_blob(repository, digest).status == 404
    assert client.get_blob(other_repository, digest).status == 200


def test_a_deleted_referrer_is_not_listed(client: Client, repository: str) -> None:
    subject = describe(b"the subject", OCI_MANIFEST)
    referrer = make_image("referrer", subject=subject)
    client.push(repository, referrer)
    path = f"/v2/{repository}/referrers/{subject['digest']}"
    assert len(client.ask("GET", path).json()["manifests"]) == 1
    client.ask("DELETE", f"/v2/{repository}/manifests/{referrer.root.digest}")
    assert client.ask("GET", path).json()["manifests"] == []


def test_what_was_deleted_may_be_pushed_again(client: Client, repository: str) -> None:
    image = make_image()
    for _ in range(2):
        client.push(repository, image, "latest")
        assert client.get_manifest(repository, "latest").status == 200
        client.ask("DELETE", f"/v2/{repository}/manifests/{image.root.digest}")
        for digest in image.blobs:
            client.ask("DELETE", f"/v2/{repository}/blobs/{digest}")


@pytest.mark.parametrize("path", ["manifests/none", "manifests/{}", "blobs/{}"])
def test_what_is_not_there_cannot_be_deleted(client: Client, repository: str, path: str) -> None:
    client.push_blob(repository, b"so that the repository is there")
    absent = path.format(Digest.of(b"not there"))
    assert client.ask("DELETE", f"/v2/{repository}/{absent}").status == 404
