"""A source may be named as `az acr import` takes it."""

import pytest

from regimport.clouds.names import source_at
from regimport.errors import InvalidOptions, InvalidReference
from support.images import single
from support.miniature import Miniature
from support.program import Program
from support.scripted import Scripted

_ID = (
    "/subscriptions/0000-1111/resourceGroups/my group"
    "/providers/Microsoft.ContainerRegistry/registries/SourceRegistry"
)


@pytest.mark.parametrize(
    ("registry", "source", "reference"),
    [
        (_ID, "team/app:v1", "sourceregistry.azurecr.io/team/app:v1"),
        (_ID.lower(), "app", "sourceregistry.azurecr.io/app"),
        ("SourceRegistry", "app:v1", "sourceregistry.azurecr.io/app:v1"),
        ("mine.azurecr.cn", "app:v1", "mine.azurecr.cn/app:v1"),
        ("mine.azurecr.cn", "mine.azurecr.cn/app:v1", "mine.azurecr.cn/app:v1"),
        (_ID, "app@sha256:" + "0" * 64, "sourceregistry.azurecr.io/app@sha256:" + "0" * 64),
    ],
)
def test_a_source_is_put_into_its_registry(registry: str, source: str, reference: str) -> None:
    assert source_at(registry, source) == reference


@pytest.mark.parametrize("source", ["docker.io/library/app", "r:5000/app", "oci:./x", "docker://a"])
def test_a_source_that_names_another_registry_is_refused(source: str) -> None:
    with pytest.raises(InvalidOptions, match="already names a registry"):
        source_at(_ID, source)


@pytest.mark.parametrize("registry", ["", "ab", "a b", _ID + "/x", "/subscriptions/x", "a/b.c"])
def test_a_registry_that_cannot_be_one_is_refused(registry: str) -> None:
    with pytest.raises(InvalidOptions, match="invalid --source-registry"):
        source_at(registry, "app")


def test_a_source_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(InvalidReference):
        source_at(_ID, "UPPER")


def test_a_copy_takes_its_source_from_there(program: Program) -> None:
    source, target = Miniature(), Miniature()
    source.hold("team/app", single())
    with Scripted(source) as one, Scripted(target) as other:
        ended = program("copy", "-r", one.address, "team/app", f"{other.address}/copy")
        assert ended.code == 0, ended
        assert target.holds("copy", single())
        ended = program("copy", "-r", one.address, f"{other.address}/x", f"{other.address}/copy")
        assert ended.code == 2, ended
