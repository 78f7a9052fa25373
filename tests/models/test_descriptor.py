from typing import Any

import pytest

from regimport.errors import InvalidManifest
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.platform import Platform

_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
_DIGEST = "sha256:" + "a" * 64
_VALID: dict[str, Any] = {"mediaType": _TYPE, "digest": _DIGEST, "size": 7}


def test_a_descriptor_is_read_whole() -> None:
    value = _VALID | {
        "platform": {"os": "linux", "architecture": "amd64"},
        "artifactType": "application/x",
        "annotations": {"a": "b", "number": 1},
        "urls": ["https://attacker.example/layer"],
        "data": "aGk=",
    }
    descriptor = Descriptor.from_json(value, "its layer 1")
    assert (descriptor.media_type, descriptor.digest, descriptor.size) == (_TYPE, _DIGEST, 7)
    assert isinstance(descriptor.digest, Digest)
    assert descriptor.platform == Platform("linux", "amd64")
    assert descriptor.artifact_type == "application/x"
    assert descriptor.annotations == {"a": "b"}


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        [],
        {},
        {key: _VALID[key] for key in _VALID if key != "digest"},
        _VALID | {"mediaType": 1},
        _VALID | {"mediaType": "application/ü"},
        _VALID | {"mediaType": "application/x\r\nX-Injected: y"},
        _VALID | {"mediaType": "application/x\x1b[31m"},
        _VALID | {"digest": 1},
        _VALID | {"digest": ""},
        _VALID | {"digest": "sha256:../../etc/passwd"},
        _VALID | {"digest": "md5:" + "a" * 32},
        _VALID | {"size": "7"},
        _VALID | {"size": 7.0},
        _VALID | {"size": True},
        _VALID | {"size": -2},
        _VALID | {"size": 2**53},
        _VALID | {"size": float("inf")},
    ],
    ids=repr,
)
def test_what_is_no_descriptor_is_refused_by_its_place(value: object) -> None:
    with pytest.raises(InvalidManifest, match="its layer 1"):
        Descriptor.from_json(value, "its layer 1")


@pytest.mark.parametrize(
    "value",
    [
        {key: _VALID[key] for key in _VALID if key != "size"},
        _VALID | {"size": None},
        _VALID | {"size": 0},
        _VALID | {"size": -1},
    ],
    ids=repr,
)
def test_a_size_that_go_has_not_set_is_unknown(value: object) -> None:
    assert not Descriptor.from_json(value, "it").has_size


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_size_of_0_is_that_of_no_bytes(algorithm: str) -> None:
    empty = Descriptor.from_json(_VALID | {"digest": Digest.of(b"", algorithm), "size": 0}, "it")
    assert (empty.size, empty.has_size) == (0, True)


@pytest.mark.parametrize("without", [{"mediaType": None}, {"mediaType": ""}])
def test_a_media_type_may_be_missing(without: dict[str, Any]) -> None:
    assert Descriptor.from_json(_VALID | without, "it").media_type == ""


@pytest.mark.parametrize("size", [1, 2147483648, 2**53 - 1])
def test_a_size_may_be_anything_that_json_keeps_exact(size: int) -> None:
    assert Descriptor.from_json(_VALID | {"size": size}, "it").size == size


@pytest.mark.parametrize(
    "extra",
    [{"platform": 1}, {"annotations": ["a"]}, {"annotations": {}}, {"artifactType": 1}],
    ids=repr,
)
def test_what_is_only_told_along_with_it_may_be_broken(extra: dict[str, Any]) -> None:
    descriptor = Descriptor.from_json(_VALID | extra, "it")
    assert descriptor.platform is None
    assert descriptor.artifact_type is None
    assert not descriptor.annotations


def test_descriptors_of_the_same_content_are_equal() -> None:
    plain = Descriptor.from_json(_VALID, "it")
    told = Descriptor.from_json(
        _VALID | {"annotations": {"a": "b"}, "platform": {"os": "linux", "architecture": "arm"}},
        "it",
    )
    assert plain == told
    assert len({plain, told}) == 1
    assert plain != Descriptor.from_json(_VALID | {"size": 8}, "it")


def test_annotations_cannot_be_changed() -> None:
    descriptor = Descriptor.from_json(_VALID | {"annotations": {"a": "b"}}, "it")
    with pytest.raises(TypeError):
        descriptor.annotations["a"] = "c"  # type: ignore[index]
