"""Lists: tags, repositories, referrers; and the answers to what is not served."""

from __future__ import annotations

import pytest

from layout.images import Image, describe, make_image, make_index
from regimport.models.digest import Digest
from regimport.models.mediatype import OCI_INDEX, OCI_MANIFEST
from server.client import Client

SBOM, SIGNATURE = "application/vnd.example.sbom", "application/vnd.example.signature"


def referrer(subject: Image, name: str, **members: object) -> Image:
    pointer = describe(subject.root.raw, subject.root.media_type)
    return make_image(name, algorithm="sha256", subject=pointer, **members)


def pages(client: Client, path: str, member: str) -> list[list[str]]:
    """Follow the links from page to page."""
    found: list[list[str]] = []
    while path:
        answer = client.ask("GET", path)
        found.append(answer.json()[member])
        link = answer.headers.get("link", "")
        assert link == "" or link.endswith('>; rel="next"')
        path = link.partition(">")[0].removeprefix("<")
    return found


def test_tags_come_in_lexical_order_page_by_page(client: Client) -> None:
    client.push("one", make_image(), "b", "B", "10", "9", "a.1", "_x", "a-1")
    ordered = ["10", "9", "B", "_x", "a-1", "a.1", "b"]
    assert client.tags("one") == ordered
    assert pages(client, "/v2/one/tags/list?n=3", "tags") == [ordered[:3], ordered[3:6], ["b"]]
    assert pages(client, "/v2/one/tags/list?n=7", "tags") == [ordered]
    assert pages(client, "/v2/one/tags/list?n=100&last=a.1", "tags") == [["b"]]
    assert pages(client, "/v2/one/tags/list?last=C", "tags") == [ordered[3:]]
    assert pages(client, "/v2/one/tags/list?n=0", "tags") == [[]]


@pytest.mark.parametrize("limit", ["x", "-1", "", "%C2%B2"])
def test_a_page_size_that_is_no_number_is_refused(client: Client, limit: str) -> None:
    client.push("one", make_image(), "latest")
    assert client.ask("GET", f"/v2/one/tags/list?n={limit}").status == 400


def test_repositories_are_listed_page_by_page(client: Client) -> None:
    for name in ("b", "a/b", "a"):
        client.push(name, make_image(name), "latest")
    assert pages(client, "/v2/_catalog?n=2", "repositories") == [["a", "a/b"], ["b"]]


def test_the_tags_of_an_unknown_repository_are_unknown(client: Client) -> None:
    answer = client.ask("GET", "/v2/one/tags/list")
    assert (answer.status, answer.codes) == (404, ["NAME_UNKNOWN"])


def test_referrers_are_described_with_type_and_annotations(client: Client) -> None:
    subject = make_image("subject")
    annotated = referrer(subject, "a", artifactType=SBOM, annotations={"made": "today"})
    plain = referrer(subject, "b")
    index = make_index(make_image("c"), subject=describe(subject.root.raw, OCI_MANIFEST))
    for image in (subject, annotated, plain, index):
        client.push("one", image)
    answer = client.ask("GET", f"/v2/one/referrers/{subject.root.digest}")
    assert answer.headers["content-type"] == OCI_INDEX
    found = {entry["digest"]: entry for entry in answer.json()["manifests"]}
    assert set(found) == {image.root.digest for image in (annotated, plain, index)}
    assert found[annotated.root.digest] == {
        **describe(annotated.root.raw, OCI_MANIFEST),
        "artifactType": SBOM,
        "annotations": {"made": "today"},
    }
    assert found[plain.root.digest]["artifactType"] == "application/vnd.oci.image.config.v1+json"
    assert found[index.root.digest] == describe(index.root.raw, OCI_INDEX)


def test_referrers_are_filtered_by_type_and_say_so(client: Client) -> None:
    subject = make_image("subject")
    sbom = referrer(subject, "a", artifactType=SBOM)
    for image in (subject, sbom, referrer(subject, "b", artifactType=SIGNATURE)):
        client.push("one", image)
    path = f"/v2/one/referrers/{subject.root.digest}"
    answer = client.ask("GET", f"{path}?artifactType={SBOM}")
    assert [entry["digest"] for entry in answer.json()["manifests"]] == [sbom.root.digest]
    assert answer.headers["oci-filters-applied"] == "artifactType"
    assert "oci-filters-applied" not in client.ask("GET", path).headers


def test_referrers_belong_to_their_repository_and_end_when_deleted(client: Client) -> None:
    subject = make_image("subject")
    signature = referrer(subject, "a", artifactType=SIGNATURE)
    client.push("one", signature, "sig")
    path = f"referrers/{subject.root.digest}"
    assert client.ask("GET", f"/v2/two/{path}").json()["manifests"] == []
    assert len(client.ask("GET", f"/v2/one/{path}").json()["manifests"]) == 1
    client.ask("DELETE", f"/v2/one/manifests/{signature.root.digest}")
    assert client.ask("GET", f"/v2/one/{path}").json()["manifests"] == []


def test_referrers_of_what_is_no_digest_are_refused(client: Client) -> None:
    assert client.ask("GET", "/v2/one/referrers/latest").codes == ["DIGEST_INVALID"]
    unknown = client.ask("GET", f"/v2/one/referrers/{Digest.of(b'')}")
    assert (unknown.status, unknown.json()["manifests"]) == (200, [])


@pytest.mark.parametrize("path", ["/v2/", "/v2"])
def test_the_version_is_told(client: Client, path: str) -> None:
    answer = client.ask("GET", path)
    assert answer.status == 200
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"


def test_what_is_not_served_is_answered_in_the_form_of_the_specification(client: Client) -> None:
    assert client.ask("GET", "/nothing").status == 404
    assert client.ask("GET", "/nothing").codes == ["NAME_UNKNOWN"]
    answer = client.ask("PATCH", "/v2/one/tags/list", b"body")
    assert (answer.status, answer.codes) == (405, ["UNSUPPORTED"])
