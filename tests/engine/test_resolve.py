"""What the source's tag is, and how the targets stand before the copy."""

from __future__ import annotations

import pytest

from engine.memory import Memory, copy_to, root_of, stored
from regimport.engine.resolve import resolve
from regimport.engine.target import Status, TargetCopy
from regimport.engine.workers import Workers
from regimport.errors import AccessDenied, ContentMismatch, NotFound, Side, TagExists
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.reference import Reference
from support.images import many_platforms, single

_IMAGE = many_platforms()
_ROOT = root_of(_IMAGE)
_OTHER = single()


@pytest.fixture
def source() -> Memory:
    made = stored(_IMAGE)
    made.by_tag["1"] = _ROOT.digest
    return made


@pytest.fixture
def target() -> Memory:
    return Memory("target.example/x")


def hold(target: Memory, tag: str, raw: bytes) -> Digest:
    """Put another manifest, or the image's, under a tag."""
    manifest = Manifest.parse(raw)
    target.manifests[manifest.digest] = manifest
    target.by_tag[tag] = manifest.digest
    return manifest.digest


def resolved(
    source: Memory, *copies: TargetCopy, reference: str = "1", no_clobber: bool = False
) -> list[TargetCopy]:
    with Workers(2) as workers:
        root, found = resolve(source, reference, workers, copies, no_clobber=no_clobber)
    assert root == _ROOT
    return found


def test_an_image_that_the_source_lacks_is_not_found(source: Memory) -> None:
    with Workers(1) as workers, pytest.raises(NotFound, match=r"source\.example/x:2") as caught:
        resolve(source, "2", workers)
    assert caught.value.side is Side.SOURCE


def test_a_target_whose_tag_points_to_the_image_is_present(source: Memory, target: Memory) -> None:
    hold(target, "1", _IMAGE.raw)
    [found] = resolved(source, copy_to(target, "1"))
    assert found.status is Status.PRESENT
    assert not found.pending


def test_tags_that_lack_the_image_are_one_copy_for_each_repository(
    source: Memory, target: Memory
) -> None:
    hold(target, "here", _IMAGE.raw)
    hold(target, "old", _OTHER.raw)
    other = Memory("other.example/x")
    names = [(target, "a"), (other, "a"), (target, "here"), (target, "old"), (target, "a")]
    found = resolved(source, *[copy_to(end, tag) for end, tag in names])
    stand = {(copy.name, copy.tags, copy.status) for copy in found}
    assert stand == {
        (target.name, ("here",), Status.PRESENT),
        (target.name, ("a", "old"), Status.PLANNED),
        (other.name, ("a",), Status.PLANNED),
    }
    assert sum(len(copy.references) for copy in found) == len(names)


def test_a_repository_is_vacant_unless_one_of_its_tags_was_found(
    source: Memory, target: Memory
) -> None:
    [found] = resolved(source, copy_to(target, "a"), copy_to(target, "b"))
    assert found.has_no_tags
    hold(target, "b", _OTHER.raw)
    [found] = resolved(source, copy_to(target, "a"), copy_to(target, "b"))
    assert not found.has_no_tags


def test_a_target_that_is_pinned_to_another_digest_has_failed(
    source: Memory, target: Memory
) -> None:
    pinned = Reference("target.example", "x", "1", Digest.of(b"another"))
    [found] = resolved(source, TargetCopy(target, (pinned,)))
    assert isinstance(found.error, ContentMismatch)
    assert (found.status, found.error.side) == (Status.FAILED, Side.TARGET)


def test_a_tag_that_may_not_be_overwritten_has_failed(source: Memory, target: Memory) -> None:
    there = hold(target, "1", _OTHER.raw)
    copies = (copy_to(target, "1"), copy_to(target, "2"))
    failed, planned = resolved(source, *copies, no_clobber=True)
    assert isinstance(failed.error, TagExists)
    assert f"target.example/x:1 exists already, as {there}" in failed.error.message
    assert (planned.tags, planned.status) == (("2",), Status.PLANNED)
    assert all(copy.pending for copy in resolved(source, *copies))


def test_a_target_that_cannot_be_asked_fails_alone(source: Memory, target: Memory) -> None:
    class Refusing(Memory):
        def head_manifest(self, reference: str) -> Descriptor | None:
            raise AccessDenied("no")

    copies = (copy_to(Refusing("refusing.example/x")), copy_to(target))
    failed, planned = resolved(source, *copies)
    assert isinstance(failed.error, AccessDenied)
    assert planned.pending


def test_a_target_without_a_tag_is_asked_about_the_digest_of_the_source_if_it_is_known(
    source: Memory, target: Memory
) -> None:
    copy = TargetCopy(target, (Reference("target.example", "x"),))
    resolved(source, copy)
    assert not target.asked
    hold(target, "elsewhere", _IMAGE.raw)
    [found] = resolved(source, copy, reference=_ROOT.digest)
    assert dict(target.asked) == {f"HEAD {_ROOT.digest}": 1}
    assert found.status is Status.PRESENT
