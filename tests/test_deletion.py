"""Deleting tags and manifests: what goes, what stays, and what is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import regimport
from regimport import (
    AccessDenied,
    CopyOptions,
    InvalidReference,
    NotFound,
    RegistryError,
    RetryPolicy,
    TagExists,
)
from regimport.server.run import serving
from support.client import Client
from support.images import Image, many_platforms, single
from support.miniature import Miniature, complaint
from support.scripted import Heard, Say, Scripted

FAST = CopyOptions(retry=RetryPolicy(attempts=2, first_delay=0, longest_delay=0))


class Address(str):
    """A registry's address, and whether it deletes a tag without its manifest."""

    __slots__ = ("deletes_tags",)
    deletes_tags: bool


@pytest.fixture(params=["docker-registry", "embedded"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Address]:
    if request.param == "docker-registry":
        address = Address(request.getfixturevalue("target").address)
        address.deletes_tags = False
        yield address
    else:
        with serving(tmp_path / "registry") as served:
            address = Address(served.address)
            address.deletes_tags = True
            yield address


pytestmark = pytest.mark.docker_registry


def tags_of(name: str) -> set[str]:
    try:
        return set(regimport.tags(name))
    except NotFound:
        return set()


def test_a_tag_goes_and_other_images_stay(registry: Address, repository: str) -> None:
    client, name = Client(registry), f"{registry}/{repository}"
    client.push(repository, single("a"), "old")
    client.push(repository, single("b"), "new")
    done = regimport.delete(f"{name}:old")
    assert done.tags == ("old",)
    assert tags_of(name) == {"new"}
    assert regimport.digest(f"{name}:new") == single("b").root


def test_a_tag_that_shares_its_manifest_goes_alone_or_not_at_all(
    registry: Address, repository: str
) -> None:
    name = f"{registry}/{repository}"
    Client(registry).push(repository, single("a"), "one", "two")
    assert regimport.find_use(f"{name}:one").other_tags == ("two",)
    if registry.deletes_tags:
        assert regimport.delete(f"{name}:one").tags == ("one",)
        assert tags_of(name) == {"two"}
    else:
        with pytest.raises(TagExists, match="two would be deleted along with one"):
            regimport.delete(f"{name}:one")
        assert tags_of(name) == {"one", "two"}


def test_all_tags_of_a_manifest_go_if_that_is_asked_for(registry: Address, repository: str) -> None:
    name = f"{registry}/{repository}"
    client = Client(registry)
    client.push(repository, single("a"), "one", "two")
    client.push(repository, single("b"), "other")
    done = regimport.delete(f"{name}:one", with_tags=True)
    assert (set(done.tags), done.manifest) == ({"one", "two"}, True)
    assert tags_of(name) == {"other"}


def test_a_manifest_that_is_tagged_is_deleted_by_digest_only_with_its_tags(
    registry: Address, repository: str
) -> None:
    image, name = single("a"), f"{registry}/{repository}"
    Client(registry).push(repository, image, "one")
    with pytest.raises(TagExists, match="one would be deleted along"):
        regimport.delete(f"{name}@{image.root}")
    assert tags_of(name) == {"one"}
    assert regimport.delete(f"{name}@{image.root}", with_tags=True).manifest
    assert tags_of(name) == set()


def test_a_part_of_an_index_is_never_deleted(registry: Address, repository: str) -> None:
    image, name = many_platforms(), f"{registry}/{repository}"
    child = next(iter(image.manifests))
    client = Client(registry)
    client.push(repository, image, "index")
    for with_tags in (False, True):
        with pytest.raises(TagExists, match="is part of index"):
            regimport.delete(f"{name}@{child}", with_tags=with_tags)
    assert regimport.digest(f"{name}@{child}") == child


def test_a_tagged_part_of_an_index_loses_its_tag_or_nothing(
    registry: Address, repository: str
) -> None:
    """A registry that deletes by digest alone would take the part with the tag."""
    image, name = many_platforms(), f"{registry}/{repository}"
    child, (media_type, raw) = next(iter(image.manifests.items()))
    client = Client(registry)
    client.push(repository, image, "index")
    client.put_manifest(repository, "arm", media_type, raw)
    if registry.deletes_tags:
        regimport.delete(f"{name}:arm")
    else:
        with pytest.raises(TagExists, match="is part of index"):
            regimport.delete(f"{name}:arm")
    assert regimport.digest(f"{name}@{child}") == child


def test_a_tag_that_has_moved_since_it_was_looked_at_stays(
    registry: Address, repository: str
) -> None:
    name = f"{registry}/{repository}"
    client = Client(registry)
    client.push(repository, single("a"), "tag")
    seen = regimport.find_use(f"{name}:tag").pinned
    client.push(repository, single("b"), "tag")
    with pytest.raises(NotFound, match="which is sha256:"):
        regimport.delete(seen)
    assert tags_of(name) == {"tag"}


@pytest.mark.parametrize("reference", ["oci:folder:tag", "registry.example/app"])
def test_a_folder_and_a_whole_repository_are_refused(reference: str) -> None:
    with pytest.raises(InvalidReference):
        regimport.delete(reference)


class Deleting(Miniature):
    """A registry in memory whose answer to DELETE, and to a question, a test chooses."""

    def __init__(self, on_delete: Callable[[Heard, Miniature], Say]) -> None:
        super().__init__()
        self.on_delete = on_delete
        self.refuses: dict[str, int] = {}

    def manifest(self, heard: Heard, repository: str, reference: str) -> Say:
        if heard.method == "DELETE":
            return self.on_delete(heard, self)
        if reference in self.refuses:
            return complaint(self.refuses[reference], "DENIED")
        return super().manifest(heard, repository, reference)


def hold(registry: Miniature, **images: Image) -> None:
    for tag, image in images.items():
        registry.hold("app", image, tag)


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_tag_that_is_not_told_of_is_no_tag_that_points_elsewhere(status: int) -> None:
    registry = Deleting(lambda *_: Say(202))
    hold(registry, one=single(), two=single())
    registry.refuses["two"] = status
    with Scripted(registry) as served:
        with pytest.raises(regimport.RegimportError) as caught:
            regimport.delete(f"{served.address}/app:one", options=FAST)
        assert caught.value.exit_code in {4, 6}
        assert not [heard for heard in served.heard if heard.method == "DELETE"]


def test_a_registry_that_deletes_nothing_says_so_and_what_may_be_done() -> None:
    registry = Deleting(lambda *_: complaint(405, "UNSUPPORTED"))
    hold(registry, one=single())
    with Scripted(registry) as served:
        with pytest.raises(RegistryError, match="does not allow deleting"):
            regimport.delete(f"{served.address}/app:one")


def test_a_refusal_of_the_account_is_no_reason_to_try_the_digest() -> None:
    registry = Deleting(lambda *_: complaint(403, "DENIED"))
    hold(registry, one=single())
    with Scripted(registry) as served:
        with pytest.raises(AccessDenied):
            regimport.delete(f"{served.address}/app:one")
        assert len([heard for heard in served.heard if heard.method == "DELETE"]) == 1


def test_a_deletion_that_was_accepted_and_not_made_is_an_error() -> None:
    registry = Deleting(lambda *_: Say(202))
    hold(registry, one=single())
    with Scripted(registry) as served:
        with pytest.raises(RegistryError, match="one is still there"):
            regimport.delete(f"{served.address}/app:one")


def test_a_registry_that_deletes_other_tags_along_is_reported() -> None:
    def delete_all(_: Heard, registry: Miniature) -> Say:
        registry.manifests.clear()
        return Say(202)

    registry = Deleting(delete_all)
    hold(registry, one=single(), two=single())
    with Scripted(registry) as served:
        with pytest.raises(RegistryError, match="deleted two along with one"):
            regimport.delete(f"{served.address}/app:one")
