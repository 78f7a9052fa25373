"""Images of types that few registries have, and of digests that few use: copied byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import regimport
from regimport import CopyOptions, InvalidManifest, RegimportError, RegistryError, RetryPolicy
from regimport.layout.reader import LayoutReader
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.server.run import serving
from support.client import Client
from support.images import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Image,
    digest_of,
    single,
    some_bytes,
)
from support.miniature import Miniature
from support.publishers import windows
from support.registries import DockerRegistry, plain_registry
from support.scripted import Heard, Say, Scripted

_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
_ODD = "application/vnd.example.manifest.v3+json"
_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
_PLAIN_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    with serving(tmp_path / "registry") as registry:
        yield registry.address


def _schema1() -> tuple[Image, bytes]:
    layer = some_bytes("schema 1", 100)
    document = {
        "schemaVersion": 1,
        "name": "app",
        "tag": "1",
        "architecture": "amd64",
        "fsLayers": [{"blobSum": digest_of(layer)}],
        "history": [{"v1Compatibility": "{}"}],
        "signatures": [],
    }
    return Image(), json.dumps(document, indent=3).encode()


@pytest.mark.parametrize("media_type", [_SCHEMA1, _PLAIN_SCHEMA1, OCI_MANIFEST])
@pytest.mark.parametrize("by", ["tag", "digest"])
def test_docker_schema_1_has_its_own_error(tmp_path: Path, media_type: str, by: str) -> None:
    """Whatever the registry calls it; nothing is written."""
    image, raw = _schema1()
    image.put(media_type, raw)
    registry = Miniature()
    registry.hold("app", image)
    with Scripted(registry) as source:
        place = f"{source.address}/app" + (":latest" if by == "tag" else f"@{image.root}")
        with pytest.raises(InvalidManifest, match="Docker schema 1 image") as caught:
            regimport.copy(place, f"oci:{tmp_path / 'layout'}:1")
        assert caught.value.hint
        with pytest.raises(InvalidManifest, match="Docker schema 1 image"):
            regimport.inspect(place)
    assert not (tmp_path / "layout" / "index.json").exists() or (
        LayoutReader(tmp_path / "layout").index().entries == ()
    )


def _odd(**more: object) -> Image:
    """A manifest of a type that nobody has heard of."""
    image = Image()
    document = {"schemaVersion": 2, "mediaType": _ODD, "x": 1.50, **more}
    image.put(_ODD, json.dumps(document, indent=1).encode())
    return image


def _blob(image: Image, text: str) -> dict[str, object]:
    return image.blob(some_bytes(text, 300), f"application/vnd.example.{text}")


def odd_config_and_layers() -> Image:
    made = Image()
    image = _odd(config=_blob(made, "config"), layers=[_blob(made, "a"), _blob(made, "b")])
    image.blobs = made.blobs
    return image


def odd_blobs() -> Image:
    made = Image()
    image = _odd(blobs=[_blob(made, "a"), _blob(made, "b")])
    image.blobs = made.blobs
    return image


def odd_manifests() -> Image:
    """An index of an unknown type, over an image and an artifact of an unknown type."""
    image, children = single("child"), odd_blobs()
    image.blobs |= children.blobs
    below = [
        {"mediaType": OCI_MANIFEST, "digest": image.root, "size": len(image.raw)},
        {"mediaType": _ODD, "digest": children.root, "size": len(children.raw)},
    ]
    image.manifests |= children.manifests
    top = _odd(manifests=below)
    image.manifests |= top.manifests
    return image


def oci_artifact() -> Image:
    """The artifact manifest of release candidates of the specification, as ORAS 0.16 wrote it."""
    image = Image()
    document = {
        "mediaType": _ARTIFACT,
        "artifactType": "application/vnd.example.sbom.v1",
        "blobs": [_blob(image, "sbom")],
        "annotations": {"a": "b"},
    }
    image.put(_ARTIFACT, json.dumps(document).encode())
    return image


_UNUSUAL: list[Callable[[], Image]] = [
    odd_config_and_layers,
    odd_blobs,
    odd_manifests,
    oci_artifact,
]


@pytest.mark.parametrize("make", _UNUSUAL)
def test_manifests_of_unknown_types_arrive_with_all_that_they_name(
    served: str, tmp_path: Path, make: Callable[[], Image]
) -> None:
    image, registry = make(), Miniature()
    registry.hold("app", image)
    with Scripted(registry) as source:
        report = regimport.copy(
            f"{source.address}/app", f"{served}/app:1", options=CopyOptions(verify=True)
        )
    assert report.exit_code == 0
    client = Client(served)
    for digest, (media_type, raw) in image.manifests.items():
        _, headers, body = client.ask("GET", f"/v2/app/manifests/{digest}", Accept="*/*")
        assert (headers["Content-Type"], body) == (media_type, raw)
    for digest, content in image.blobs.items():
        assert client.ask("GET", f"/v2/app/blobs/{digest}")[2] == content
    regimport.copy(f"{served}/app:1", f"oci:{tmp_path / 'layout'}:1")
    reader = LayoutReader(tmp_path / "layout")
    assert reader.get_manifest("1").raw == image.raw
    assert all(reader.has_blob(Descriptor("", Digest(d), len(c))) for d, c in image.blobs.items())


@pytest.mark.docker_registry
@pytest.mark.parametrize("make", [odd_blobs, oci_artifact])
def test_a_registry_that_takes_no_unknown_types_says_so(
    served: str, target: DockerRegistry, repository: str, make: Callable[[], Image]
) -> None:
    image, registry = make(), Miniature()
    registry.hold("app", image)
    with Scripted(registry) as source:
        with pytest.raises(RegistryError, match=r"MANIFEST_INVALID|putting a manifest") as caught:
            regimport.copy(f"{source.address}/app", f"{target.address}/{repository}:1")
    assert caught.value.side == "target"
    assert Client(target.address).ask("GET", f"/v2/{repository}/manifests/1")[0] == 404


def both_algorithms() -> Image:
    """An index that names one child by sha512 and one by sha256, with blobs of both."""
    image = Image()
    children = []
    for number, algorithm in enumerate(("sha512", "sha256")):
        config = image.blob(json.dumps({"n": number}).encode(), OCI_CONFIG, algorithm)
        layers = [image.blob(some_bytes(f"{number}", 400), algorithm="sha512")]
        layers.append(image.blob(some_bytes(f"{number} too", 400)))
        child = image.manifest(config, layers)
        media_type, raw = image.manifests.pop(str(child["digest"]))
        digest = digest_of(raw, algorithm)
        image.manifests[digest] = (media_type, raw)
        children.append(child | {"digest": digest})
    image.put(OCI_INDEX, json.dumps({"schemaVersion": 2, "manifests": children}).encode())
    return image


def test_both_kinds_of_digests_may_be_in_one_image(served: str, tmp_path: Path) -> None:
    image, registry = both_algorithms(), Miniature()
    registry.hold("app", image)
    with Scripted(registry) as source:
        options = CopyOptions(verify=True)
        regimport.copy(f"{source.address}/app", f"{served}/app:1", options=options)
    regimport.copy(f"{served}/app:1", f"oci:{tmp_path / 'layout'}:1")
    regimport.copy(f"oci:{tmp_path / 'layout'}:1", f"{served}/again:1")
    client = Client(served)
    for repository in ("app", "again"):
        for digest, (_, raw) in image.manifests.items():
            assert client.read_manifest(repository, digest) == raw
        for digest, content in image.blobs.items():
            assert client.ask("GET", f"/v2/{repository}/blobs/{digest}")[2] == content


@pytest.mark.docker_registry
def test_docker_registry_takes_no_manifest_by_sha512_and_the_error_says_so(
    target: DockerRegistry, repository: str
) -> None:
    """It takes blobs named by it, which a copy of `sha512_layer` shows."""
    image, registry = both_algorithms(), Miniature()
    registry.hold("app", image)
    place = f"{target.address}/{repository}:1"
    with Scripted(registry) as source:
        with pytest.raises(RegistryError) as caught:
            regimport.copy(f"{source.address}/app", place)
    assert caught.value.side == "target"
    assert "sha512" in f"{caught.value}"
    assert Client(target.address).ask("GET", f"/v2/{repository}/manifests/1")[0] == 404


@pytest.mark.docker_registry
def test_docker_registry_refuses_a_layer_that_is_at_a_url_alone(
    served: str, target: DockerRegistry, repository: str
) -> None:
    """It answers 500 with its reason, unless it is configured to take such URLs."""
    windows().push(Client(served), "win", "1")
    options = CopyOptions(retry=RetryPolicy(attempts=1))
    with pytest.raises(RegimportError, match="MANIFEST_BLOB_UNKNOWN") as caught:
        regimport.copy(f"{served}/win:1", f"{target.address}/{repository}:1", options=options)
    assert caught.value.side == "target"
    assert Client(target.address).ask("GET", f"/v2/{repository}/manifests/1")[0] == 404


@pytest.mark.docker_registry
@pytest.mark.parametrize("is_served", [True, False])
def test_docker_registry_takes_windows_bases_where_it_is_configured_to(
    served: str, tmp_path: Path, is_served: bool
) -> None:
    published = windows(served=is_served)
    published.push(Client(served), "win", "1")
    with plain_registry(tmp_path, urls="^https://mcr.example/") as registry:
        report = regimport.copy(f"{served}/win:1", f"{registry.address}/win:1")
        assert report.tally.blobs_skipped == (not is_served)
        client = Client(registry.address)
        for digest, (_, raw) in published.image.manifests.items():
            assert client.read_manifest("win", digest) == raw
        for digest, content in published.image.blobs.items():
            assert client.ask("GET", f"/v2/win/blobs/{digest}")[2] == content
        again = regimport.copy(f"{registry.address}/win:1", f"{served}/back:1")
    assert again.root.digest == published.image.root


@pytest.mark.parametrize("api", [True, False])
@pytest.mark.parametrize("goal_api", [True, False])
@pytest.mark.parametrize("pinned", [True, False])
def test_what_refers_to_an_image_by_sha512_comes_along_and_is_listed_so(
    api: bool, goal_api: bool, pinned: bool
) -> None:
    """The target names the image by sha256; the referrer keeps its bytes, and so its subject."""
    image = single("named by sha512")
    name = digest_of(image.raw, "sha512")
    signature = Image()
    config = signature.blob(b"{}", "application/vnd.example.signature")
    subject = {"mediaType": image.media_type, "digest": name, "size": len(image.raw)}
    signature.manifest(config, [], subject=subject)
    source, target = BySha512(name), Miniature()
    source.lists_referrers, target.lists_referrers = api, goal_api
    source.hold("app", image)
    source.hold("app", signature, signature.root)
    entry = {"mediaType": OCI_MANIFEST, "digest": signature.root, "size": len(signature.raw)}
    index = Image()
    index.index([entry])
    if not api:
        source.hold("app", index, name.replace(":", "-")[:71])
    with Scripted(source) as here, Scripted(target) as there:
        place = f"{here.address}/app" + (f"@{name}" if pinned else ":latest")
        options = CopyOptions(referrers=("all",), cache=False)
        report = regimport.copy(place, f"{there.address}/app:1", options=options)
        puts = [heard.path for heard in there.heard if heard.method == "PUT"]
    assert report.referrers is not None
    assert [str(found.manifest.digest) for found in report.referrers.found] == [signature.root]
    assert target.holds("app", image, "1")
    assert target.holds("app", signature, signature.root)
    order = [path.rpartition("/")[2] for path in puts if "/manifests/" in path]
    assert order.index(image.root) < order.index(signature.root) < order.index("1")
    if not goal_api:
        assert name.replace(":", "-")[:71] in order


class BySha512(Miniature):
    """Names its image by sha512, and knows it by no other name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def manifest(self, heard: Heard, repository: str, reference: str) -> Say:
        if reference not in {"latest", self._name}:
            return super().manifest(heard, repository, reference)
        media_type, raw = self.manifests[repository]["latest"]
        headers = {"Content-Type": media_type, "Docker-Content-Digest": self._name}
        return Say(200, headers | {"Content-Length": str(len(raw))}, raw)
