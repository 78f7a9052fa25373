"""Content discovery: tags and referrers."""

from __future__ import annotations

import pytest

from layout.images import Image, describe, make_image
from regimport.models.digest import Digest
from regimport.models.mediatype import OCI_INDEX, OCI_MANIFEST
from server.client import Client

TAGS = [f"test{number}" for number in range(4)] + ["TEST", "z", "0.1"]
ONE, TWO = "application/vnd.example.one", "application/vnd.example.two"


@pytest.fixture
def tagged(client: Client, repository: str) -> list[str]:
    client.push(repository, make_image("tagged"), *TAGS)
    return sorted(TAGS)


def test_tags_are_listed_in_order(client: Client, repository: str, tagged: list[str]) -> None:
    answer = client.ask("GET", f"/v2/{repository}/tags/list")
    assert answer.status == 200
    assert answer.json() == {"name": repository, "tags": tagged}


@pytest.mark.parametrize("limit", [0, 1, 4, 7, 1000])
def test_as_many_tags_are_listed_as_are_asked_for(
    client: Client, repository: str, tagged: list[str], limit: int
) -> None:
    answer = client.ask("GET", f"/v2/{repository}/tags/list?n={limit}")
    assert answer.json()["tags"] == tagged[:limit]
    assert ("link" in answer.headers) == (0 < limit < len(tagged))


@pytest.mark.parametrize("limit", ["", "n=2&"])
@pytest.mark.parametrize("position", [0, 2, 6])
def test_tags_are_listed_after_the_last_one(
    client: Client, repository: str, tagged: list[str], limit: str, position: int
) -> None:
    path = f"/v2/{repository}/tags/list?{limit}last={tagged[position]}"
    after = tagged[position + 1 :]
    assert client.ask("GET", path).json()["tags"] == (after[:2] if limit else after)


def test_a_repository_without_tags_has_none(client: Client, repository: str) -> None:
    answer = client.ask("GET", f"/v2/{repository}/tags/list")
    assert answer.status == 404 or not answer.json()["tags"]


@pytest.fixture
def subject(client: Client, repository: str) -> Image:
    image = make_image("subject")
    client.push(repository, image, "subject")
    pointer = describe(image.root.raw, OCI_MANIFEST)
    annotations = {"org.opencontainers.conformance": "yes"}
    for name, kind in (("a", ONE), ("b", TWO)):
        referrer = make_image(
            name, artifactType=kind, algorithm="sha256", subject=pointer, annotations=annotations
        )
        client.push(repository, referrer, f"tag-{name}")
    client.push(repository, make_image("c", subject=pointer))
    return image


def test_referrers_are_listed_as_an_index(client: Client, repository: str, subject: Image) -> None:
    answer = client.ask("GET", f"/v2/{repository}/referrers/{subject.root.digest}")
    assert (answer.status, answer.headers["content-type"]) == (200, OCI_INDEX)
    index = answer.json()
    assert (index["schemaVersion"], index["mediaType"]) == (2, OCI_INDEX)
    types = {entry["artifactType"]: entry.get("annotations") for entry in index["manifests"]}
    assert types == {
        ONE: {"org.opencontainers.conformance": "yes"},
        TWO: {"org.opencontainers.conformance": "yes"},
        "application/vnd.oci.image.config.v1+json": None,
    }
    for entry in index["manifests"]:
        assert len(client.get_manifest(repository, entry["digest"]).body) == entry["size"]


@pytest.mark.parametrize(("kind", "count"), [(ONE, 1), (TWO, 1), ("application/none", 0)])
def test_referrers_are_filtered(
    client: Client, repository: str, subject: Image, kind: str, count: int
) -> None:
    path = f"/v2/{repository}/referrers/{subject.root.digest}?artifactType={kind}"
    answer = client.ask("GET", path)
    assert answer.headers["oci-filters-applied"] == "artifactType"
    assert [entry["artifactType"] for entry in answer.json()["manifests"]] == [kind] * count


def test_what_nobody_refers_to_has_an_empty_list(client: Client, repository: str) -> None:
    answer = client.ask("GET", f"/v2/{repository}/referrers/{Digest.of(b'nobody')}")
    assert (answer.status, answer.headers["content-type"]) == (200, OCI_INDEX)
    assert answer.json()["manifests"] == []


def test_referrers_of_a_subject_that_comes_later_are_kept(client: Client, repository: str) -> None:
    image = make_image(f"late {repository}")
    pointer = describe(image.root.raw, OCI_MANIFEST)
    referrer = make_image("early", subject=pointer)
    client.push(repository, referrer)
    client.push(repository, image, "late")
    answer = client.ask("GET", f"/v2/{repository}/referrers/{image.root.digest}")
    assert [entry["digest"] for entry in answer.json()["manifests"]] == [referrer.root.digest]
