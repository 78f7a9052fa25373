"""A page of another site makes a browser send requests to a registry on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from layout.images import make_image
from regimport.models.digest import Digest
from regimport.server.run import serving
from server.client import Answer, Client

CONTENT = b"sent by a page"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with serving(tmp_path / "r", names=["Images.Example"]) as registry:
        with closing(Client(registry.address)) as client:
            yield client


def post(client: Client, **headers: str) -> Answer:
    path = f"/v2/x/blobs/uploads/?digest={Digest.of(CONTENT)}"
    return client.ask("POST", path, CONTENT, **headers)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:5000", "10.0.0.1", "localhost.evil.example", "[::2]", "", "a]"],
)
def test_a_name_that_is_not_the_registrys_is_refused(client: Client, host: str) -> None:
    answer = post(client, host=host or " ")
    assert (answer.status, answer.codes) == (403, ["DENIED"])
    assert client.ask("GET", "/v2/_catalog").json() == {"repositories": []}


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost:9", "[::1]:5000", "IMAGES.example.:80", "LOCALHOST"]
)
def test_its_address_localhost_and_the_names_it_was_given_are_answered(
    client: Client, host: str
) -> None:
    assert post(client, host=host).status == 201


def test_a_registry_on_all_addresses_is_answered_by_each_of_them_but_by_no_name(
    tmp_path: Path,
) -> None:
    with serving(tmp_path / "r", host="0.0.0.0") as registry:
        address = registry.address.replace("0.0.0.0", "127.0.0.1")
        with closing(Client(address)) as client:
            assert client.ask("GET", "/v2/", host="192.0.2.7:5000").status == 200
            assert client.ask("GET", "/v2/", host="evil.example").status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
        {"origin": "http://localhost:1"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_a_request_of_another_site_is_refused(client: Client, headers: dict[str, str]) -> None:
    answer = post(client, **headers)
    assert (answer.status, answer.codes) == (403, ["DENIED"])
    assert client.get_blob("x", Digest.of(CONTENT)).status == 404


def test_a_page_of_its_own_is_answered(client: Client) -> None:
    host = f"{client.connection.host}:{client.connection.port}"
    assert post(client, origin=f"http://{host}", sec_fetch_site="same-origin").status == 201
    assert post(client, sec_fetch_site="none").status == 201


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "TEXT/HTML"])
def test_no_browser_takes_a_manifest_for_a_page(client: Client, media_type: str) -> None:
    image = make_image(mediaType=media_type)
    for digest, content in image.blobs.items():
        client.push_blob("x", content, digest.algorithm)
    assert client.ask("PUT", "/v2/x/manifests/1", image.root.raw).status == 201
    for method in ("GET", "HEAD"):
        headers = client.ask(method, "/v2/x/manifests/1").headers
        assert headers["content-type"] == "application/octet-stream"
        assert headers["x-content-type-options"] == "nosniff"
    assert json.loads(client.get_manifest("x", "1").body)["mediaType"] == media_type


def test_refusals_and_blobs_are_not_sniffed_either(client: Client) -> None:
    for answer in (
        client.get_blob("x", Digest.of(CONTENT)),
        client.ask("GET", "/<html>"),
        client.ask("GET", "/v2/", host="evil.example"),
        post(client),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
