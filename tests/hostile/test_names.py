"""Documents that two tools would read as two things, by the names of their members."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import regimport
from regimport.errors import InvalidManifest
from support.images import OCI_INDEX, OCI_MANIFEST, Image, single
from support.miniature import Miniature
from support.scripted import Scripted

_OTHER = single("other")
_LAYER = json.loads(_OTHER.raw)["layers"][0]
_CHILD = {"mediaType": _OTHER.media_type, "digest": _OTHER.root, "size": len(_OTHER.raw)}


def _with(member: str, image: Image | None = None) -> bytes:
    """A manifest with one more member, as text, so that a name may be there twice."""
    raw = (image or single()).raw.decode()
    return f"{raw[:-1]}, {member}}}".encode()


def _within(raw: bytes, where: str, member: str) -> bytes:
    """A manifest in which the descriptor behind a name has one more member."""
    text = raw.decode()
    start = text.index(f'"{where}"')
    at = text.index("{", start) + 1
    return f"{text[:at]}{member}, {text[at:]}".encode()


def _refused(raw: bytes, media_type: str = OCI_MANIFEST) -> str:
    forged = Image(single().blobs, {})
    forged.put(media_type, raw)
    source, target = Miniature(), Miniature()
    source.hold("app", forged)
    with Scripted(source) as here, Scripted(target) as there:
        with pytest.raises(InvalidManifest) as caught:
            regimport.copy(f"{here.address}/app", f"{there.address}/app")
    assert not target.manifests
    return caught.value.message


@pytest.mark.parametrize(
    "name", ["LAYERS", "Layers", "layer\u017f", "Config", "MEDIATYPE", "SchemaVersion", "Subject"]
)
def test_a_member_of_a_manifest_that_differs_from_a_field_in_case_is_refused(name: str) -> None:
    message = _refused(_with(f"{json.dumps(name)}: {json.dumps([_LAYER])}"))
    assert "which some tools take for" in message


def test_a_list_of_manifests_in_other_case_beside_layers_is_refused() -> None:
    assert "'Manifests'" in _refused(_with(f'"Manifests": {json.dumps([_CHILD])}'))


@pytest.mark.parametrize("name", ["Digest", "URLs", "SIZE", "mediatype", "Platform"])
@pytest.mark.parametrize("where", ["config", "layers"])
def test_a_member_of_a_descriptor_that_differs_in_case_is_refused(where: str, name: str) -> None:
    message = _refused(_within(single().raw, where, f'"{name}": "x"'))
    assert f"'{name}'" in message
    assert "manifest's config" in message or "manifest's layer 1" in message


def test_a_platform_whose_members_differ_in_case_is_refused() -> None:
    image = single()
    child = _CHILD | {"platform": {"os": "linux", "architecture": "amd64", "OS": "windows"}}
    index = Image(image.blobs, {})
    index.index([child])
    assert "the platform of the manifest's manifest 1" in _refused(index.raw, OCI_INDEX)


def test_a_name_that_is_there_twice_is_refused_in_every_place_that_is_read() -> None:
    assert "'layers' twice" in _refused(_with(f'"layers": {json.dumps([_LAYER])}'))
    assert "'digest' twice" in _refused(
        _within(single().raw, "config", f'"digest": "{_OTHER.root}"')
    )


@pytest.mark.parametrize(
    "annotations",
    ['{"size": "1", "Size": "2", "LAYERS": "3"}', '{"a": "1", "a": "2"}', '{"Config": "x"}'],
)
def test_annotations_and_unknown_members_may_have_any_names(annotations: str) -> None:
    image = Image(single().blobs, {})
    image.put(single().media_type, _with(f'"annotations": {annotations}, "x": {annotations}'))
    source, target = Miniature(), Miniature()
    source.hold("app", image)
    with Scripted(source) as here, Scripted(target) as there:
        regimport.copy(f"{here.address}/app", f"{there.address}/app")
    assert target.holds("app", image)


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (f'"Manifests": [{json.dumps(_CHILD)}]', "'Manifests'"),
        (f'"manifests": [{json.dumps(_CHILD)}]', "'manifests' twice"),
    ],
)
def test_an_index_json_that_lists_manifests_twice_is_refused(
    tmp_path: Path, member: str, said: str
) -> None:
    folder = tmp_path / "layout"
    source = Miniature()
    source.hold("app", single())
    with Scripted(source) as here:
        regimport.copy(f"{here.address}/app", f"oci:{folder}:1")
        index = folder / "index.json"
        before = f"{index.read_text()[:-1]}, {member}}}"
        index.write_text(before)
        for ends in (
            (f"oci:{folder}:1", f"{here.address}/b"),
            (here.address + "/app", f"oci:{folder}:2"),
        ):
            with pytest.raises(InvalidManifest, match=r"index\.json has the member") as caught:
                regimport.copy(*ends)
            assert said in caught.value.message
    assert index.read_text() == before
