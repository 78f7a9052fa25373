import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regimport.errors import InvalidManifest
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.mediatype import (
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_ARTIFACT,
    OCI_INDEX,
    OCI_MANIFEST,
    SCHEMA1_TYPES,
)

_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_CONFIG = "application/vnd.oci.image.config.v1+json"


def _descriptor(media_type: str, number: int = 1) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{number:064x}", "size": number}


_IMAGE: dict[str, Any] = {
    "schemaVersion": 2,
    "config": _descriptor(_CONFIG, 1),
    "layers": [_descriptor(_LAYER, 2), _descriptor(_LAYER, 3)],
}
_INDEX: dict[str, Any] = {
    "schemaVersion": 2,
    "manifests": [_descriptor(OCI_MANIFEST, 4), _descriptor(OCI_INDEX, 5)],
}


def _parse(document: object, content_type: str | None = None) -> Manifest:
    return Manifest.parse(json.dumps(document).encode(), content_type)


def test_an_image_has_a_config_and_layers() -> None:
    manifest = _parse(_IMAGE, OCI_MANIFEST)
    assert manifest.media_type == OCI_MANIFEST
    assert [blob.size for blob in manifest.blobs()] == [1, 2, 3]
    assert not manifest.manifests


def test_an_index_has_manifests() -> None:
    manifest = _parse(_INDEX, OCI_INDEX)
    assert manifest.media_type == OCI_INDEX
    assert [child.size for child in manifest.manifests] == [4, 5]
    assert not manifest.blobs()


def test_an_empty_index_is_an_index() -> None:
    assert _parse({"schemaVersion": 2, "manifests": []}).media_type == OCI_INDEX


def test_the_bytes_stay_as_they_came() -> None:
    """A digest is of bytes: whitespace, order and fields that nobody knows are part of it."""
    raw = (
        b'\t{ "x-unknown" : {"b":1, "a":[2.50, 1e3]},\r\n "layers":[ ] ,"schemaVersion":2,\n'
        b' "config":' + json.dumps(_descriptor(_CONFIG)).encode() + b"} \n\n"
    )
    manifest = Manifest.parse(raw, OCI_MANIFEST)
    assert manifest.raw == raw
    assert manifest.digest == Digest.of(raw)
    assert manifest.descriptor.size == len(raw)


def test_a_manifest_is_named_by_the_algorithm_that_was_asked_for() -> None:
    raw = json.dumps(_IMAGE).encode()
    assert Manifest.parse(raw, algorithm="sha512").digest == Digest.of(raw, "sha512")


@pytest.mark.parametrize(
    ("document", "content_type", "media_type"),
    [
        (_IMAGE, None, OCI_MANIFEST),
        (_INDEX, None, OCI_INDEX),
        (_IMAGE, "", OCI_MANIFEST),
        (_IMAGE, "application/json", OCI_MANIFEST),
        (_IMAGE, DOCKER_MANIFEST, DOCKER_MANIFEST),
        (_IMAGE, f"{DOCKER_MANIFEST.upper()}; charset=utf-8", DOCKER_MANIFEST),
        (_INDEX, DOCKER_MANIFEST_LIST, DOCKER_MANIFEST_LIST),
        (_IMAGE | {"mediaType": DOCKER_MANIFEST}, None, DOCKER_MANIFEST),
        (_IMAGE | {"mediaType": DOCKER_MANIFEST}, "text/plain", DOCKER_MANIFEST),
        (_IMAGE | {"mediaType": DOCKER_MANIFEST}, DOCKER_MANIFEST, DOCKER_MANIFEST),
    ],
)
def test_the_media_type_is_settled_from_what_is_known(
    document: object, content_type: str | None, media_type: str
) -> None:
    assert _parse(document, content_type).media_type == media_type


@pytest.mark.parametrize(
    ("document", "content_type"),
    [
        (_IMAGE | _INDEX, None),
        (_IMAGE | {"manifests": []}, OCI_MANIFEST),
        (_IMAGE | {"mediaType": OCI_ARTIFACT}, OCI_MANIFEST),
        ({"manifests": None, "layers": []}, OCI_INDEX),
        ({"manifests": [], "layers": None}, OCI_MANIFEST),
        (_INDEX | {"layers": []}, OCI_INDEX),
        (_INDEX | {"config": _descriptor(_CONFIG)}, OCI_INDEX),
        (_IMAGE, OCI_INDEX),
        (_IMAGE, DOCKER_MANIFEST_LIST),
        (_INDEX, OCI_MANIFEST),
        (_INDEX, DOCKER_MANIFEST),
        (_IMAGE | {"mediaType": OCI_INDEX}, None),
        (_INDEX | {"mediaType": OCI_MANIFEST}, None),
        (_IMAGE | {"mediaType": DOCKER_MANIFEST}, OCI_INDEX),
        (_INDEX | {"mediaType": OCI_INDEX}, DOCKER_MANIFEST),
        (_INDEX | {"mediaType": OCI_MANIFEST}, OCI_INDEX),
    ],
)
def test_a_manifest_that_can_be_read_in_two_ways_is_refused(
    document: object, content_type: str | None
) -> None:
    """CVE-2021-41190: an image to one reader, an index to another."""
    with pytest.raises(InvalidManifest):
        _parse(document, content_type)


_NULLS: dict[str, Any] = {"manifests": None, "config": None, "layers": None, "blobs": None}


@pytest.mark.parametrize(
    ("document", "content_type", "media_type"),
    [
        (_IMAGE | {"manifests": None}, OCI_MANIFEST, OCI_MANIFEST),
        (_IMAGE | {"manifests": None, "blobs": None, "subject": None}, None, OCI_MANIFEST),
        (_IMAGE | {"fsLayers": None, "mediaType": None}, DOCKER_MANIFEST, DOCKER_MANIFEST),
        (_INDEX | {"layers": None, "config": None}, OCI_INDEX, OCI_INDEX),
        (_INDEX | {"layers": None, "blobs": None, "fsLayers": None}, None, OCI_INDEX),
        (_IMAGE | {"layers": None}, None, OCI_MANIFEST),
        ({"layers": None}, None, OCI_MANIFEST),
        ({"manifests": None}, None, OCI_INDEX),
        ({"manifests": None, "layers": None}, OCI_INDEX, OCI_INDEX),
        (_NULLS | {"mediaType": DOCKER_MANIFEST_LIST}, None, DOCKER_MANIFEST_LIST),
        (_NULLS | {"mediaType": OCI_MANIFEST}, None, OCI_MANIFEST),
    ],
)
def test_what_is_null_is_absent(
    document: object, content_type: str | None, media_type: str
) -> None:
    manifest = _parse(document, content_type)
    assert manifest.media_type == media_type
    assert bool(manifest.manifests) <= ("index" in media_type or "list" in media_type)


@pytest.mark.parametrize(
    ("document", "served"),
    [
        (_IMAGE | {"mediaType": DOCKER_MANIFEST}, OCI_MANIFEST),
        (_IMAGE | {"mediaType": OCI_MANIFEST}, DOCKER_MANIFEST),
        (_INDEX | {"mediaType": OCI_INDEX}, DOCKER_MANIFEST_LIST),
        (_INDEX | {"mediaType": DOCKER_MANIFEST_LIST}, OCI_INDEX),
    ],
)
def test_of_two_types_of_one_kind_that_in_the_body_counts(
    document: dict[str, Any], served: str
) -> None:
    manifest = _parse(document, served)
    assert (manifest.media_type, manifest.served_as) == (document["mediaType"], served)
    assert _parse(document, document["mediaType"]).served_as is None
    assert _parse(document, "application/json").served_as is None


@pytest.mark.parametrize(
    "raw",
    [
        b'{"schemaVersion": 2, "layers": [], "layers": []}',
        b'{"schemaVersion": 2, "layers": [], "l\\u0061yers": []}',
    ],
)
def test_a_name_that_stands_twice_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidManifest, match="twice"):
        Manifest.parse(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"1",
        b'"text"',
        b"{}",
        b'{"schemaVersion": 2}',
        b'{"errors": [{"code": "UNAUTHORIZED"}]}',
        b"<!DOCTYPE html><html><title>Log in to the Wi-Fi</title></html>",
        b"\xff\xfe{}",
        b'{"layers": [',
        b'{"layers": []} trailing',
        b'{"layers": [], "x": NaN}',
        b'{"layers": [], "x": -Infinity}',
        b'{"layers": [], "x": ' + b"9" * 5000 + b"}",
        b'{"layers": [], "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"layers": [], "x": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_bytes_that_are_no_manifest_are_refused(raw: bytes) -> None:
    for content_type in (None, OCI_MANIFEST, OCI_INDEX, "text/html"):
        with pytest.raises(InvalidManifest, match="is not a manifest"):
            Manifest.parse(raw, content_type)


def test_a_login_page_in_the_place_of_a_manifest_is_explained() -> None:
    with pytest.raises(InvalidManifest) as caught:
        Manifest.parse(b"<html>Welcome</html>", "text/html")
    assert "login page" in str(caught.value.hint)


@pytest.mark.parametrize(
    "change",
    [
        {"mediaType": 1},
        {"mediaType": ["application/x"]},
        {"mediaType": "application/x\r\nX-Injected: y"},
        {"mediaType": "application/ü"},
        {"config": "text"},
        {"config": {}},
        {"config": _descriptor(_CONFIG) | {"size": "1"}},
        {"layers": {}},
        {"layers": "text"},
        {"layers": [None]},
        {"layers": [_descriptor(_LAYER) | {"digest": "sha256:short"}]},
        {"layers": [_descriptor(_LAYER)] * 10_001},
        {"subject": []},
    ],
    ids=lambda change: repr(change)[:60],
)
def test_a_part_of_the_wrong_type_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidManifest):
        _parse(_IMAGE | change)


@pytest.mark.parametrize("kind", ["manifests", "layers"])
def test_a_broken_part_is_named_by_its_place(kind: str) -> None:
    document = {"schemaVersion": 2, kind: [_descriptor(_LAYER), {"mediaType": "x/y"}]}
    with pytest.raises(InvalidManifest, match=f"{kind.removesuffix('s')} 2 has no digest"):
        _parse(document)


@pytest.mark.parametrize("content_type", sorted(SCHEMA1_TYPES))
def test_schema_1_is_refused_with_what_to_do(content_type: str) -> None:
    for raw in (b"{}", b"not even json", json.dumps(_IMAGE).encode()):
        with pytest.raises(InvalidManifest, match="schema 1") as caught:
            Manifest.parse(raw, f"{content_type}; charset=utf-8")
        assert "push the image again" in str(caught.value.hint)


@pytest.mark.parametrize(
    "document", [{"schemaVersion": 1, "layers": []}, {"schemaVersion": 2, "fsLayers": []}]
)
def test_schema_1_is_known_by_its_shape_too(document: object) -> None:
    with pytest.raises(InvalidManifest, match="schema 1"):
        _parse(document, "application/json")


def test_an_artifact_manifest_has_its_blobs_as_layers() -> None:
    document = {"mediaType": OCI_ARTIFACT, "blobs": [_descriptor(_LAYER, 9)], "artifactType": "a/b"}
    manifest = _parse(document, OCI_ARTIFACT)
    assert [blob.size for blob in manifest.blobs()] == [9]
    assert manifest.artifact_type == "a/b"


def test_the_subject_of_a_signature_is_read() -> None:
    manifest = _parse(_IMAGE | {"subject": _descriptor(OCI_MANIFEST, 8)})
    assert manifest.subject is not None
    assert manifest.subject.size == 8


def test_an_annotation_may_hold_anything() -> None:
    annotations = {"text": "ü\u202e\x1b[31m", "": "", "number": 1}
    manifest = _parse(_IMAGE | {"annotations": annotations})
    assert manifest.layers


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["config", "layers", "manifests", "blobs", "mediaType", "digest", "size", "subject"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_JSON, st.none() | st.sampled_from([OCI_INDEX, OCI_MANIFEST, OCI_ARTIFACT]))
def test_no_document_raises_anything_but_invalid_manifest(
    document: object, content_type: str | None
) -> None:
    try:
        manifest = _parse(document, content_type)
    except InvalidManifest:
        return
    assert manifest.media_type.isascii()
    assert not (manifest.manifests and manifest.blobs())


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_invalid_manifest(raw: bytes) -> None:
    with contextlib.suppress(InvalidManifest):
        assert Manifest.parse(raw).raw == raw
