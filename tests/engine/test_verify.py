"""What is read back, what differs there, and which targets fail for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from engine.memory import Memory, Told, copy_to, root_of, stored
from regimport.engine.differences import Flaw, Part, ReadBack
from regimport.engine.retrying import RetryContext
from regimport.engine.target import Status
from regimport.engine.verify import Place, read_back, verify_targets
from regimport.engine.workers import Workers
from regimport.errors import AccessDenied, ContentMismatch, Side
from regimport.events import BlobFinished, Checking
from regimport.models.manifest import Manifest
from regimport.options import RetryPolicy
from support.images import Image, many_platforms, nested

_IMAGE = many_platforms()
_ROOT = root_of(_IMAGE)


@pytest.fixture
def end() -> Memory:
    """A repository that holds the image under a tag."""
    made = stored(_IMAGE, "target.example/x")
    made.by_tag["1"] = _ROOT.digest
    return made


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def retry(told: Told) -> Iterator[RetryContext]:
    with Workers(3) as workers:
        yield RetryContext(RetryPolicy(first_delay=0), workers, told)


def read(end: Memory, retry: RetryContext, *tags: str, image: Image = _IMAGE) -> ReadBack:
    [found] = read_back([Place(end, Side.TARGET, tags)], root_of(image), retry)
    return found


def test_an_image_that_is_whole_has_no_differences(
    end: Memory, retry: RetryContext, told: Told
) -> None:
    found = read(end, retry, "1")
    assert found.differences == ()
    assert (found.manifests, found.blobs) == (len(_IMAGE.manifests), len(_IMAGE.blobs))
    size = sum(map(len, _IMAGE.blobs.values()))
    assert found.bytes_read == size
    assert told.events[0] == Checking(len(_IMAGE.blobs), size)
    outcomes = [event.outcome for event in told.events if isinstance(event, BlobFinished)]
    assert outcomes == ["checked"] * len(_IMAGE.blobs)


def test_indexes_in_an_index_are_read_too(retry: RetryContext) -> None:
    image = nested()
    found = read(stored(image), retry, image=image)
    assert (found.manifests, found.blobs) == (len(image.manifests), len(image.blobs))


def test_a_blob_with_other_bytes_differs_and_is_read_twice(
    end: Memory, retry: RetryContext
) -> None:
    digest = next(iter(_IMAGE.blobs))
    end.blobs[digest] = b"?" + _IMAGE.blobs[digest][1:]
    [difference] = read(end, retry).differences
    assert (difference.flaw, difference.name) == (Flaw.DIGEST, digest)
    assert end.asked[f"GET {digest}"] == 2


def test_below_a_manifest_that_is_missing_nothing_is_looked_for(
    end: Memory, retry: RetryContext
) -> None:
    child = next(iter(_IMAGE.manifests))
    lost = end.manifests.pop(Manifest.parse(_IMAGE.manifests[child][1]).digest)
    found = read(end, retry)
    assert [(one.flaw, one.what, one.name) for one in found.differences] == [
        (Flaw.MISSING, Part.MANIFEST, child)
    ]
    assert found.differences[0].manifest == _ROOT.digest
    assert found.differences[0].platform is not None
    own = {blob.digest for blob in lost.blobs()} - {
        blob.digest for manifest in end.manifests.values() for blob in manifest.blobs()
    }
    assert own
    assert not any(end.asked[f"GET {digest}"] for digest in own)


@pytest.mark.parametrize("tag", ["gone", "other"])
def test_a_tag_that_is_missing_or_points_elsewhere_differs(
    tag: str, end: Memory, retry: RetryContext
) -> None:
    end.by_tag["other"] = next(digest for digest in end.manifests.values()).digest
    [difference] = read(end, retry, "1", tag).differences
    assert difference.what is Part.TAG
    assert difference.name == tag
    assert difference.flaw is (Flaw.MISSING if tag == "gone" else Flaw.TAG)


def test_a_repository_is_read_once_for_all_its_copies(end: Memory, retry: RetryContext) -> None:
    end.by_tag["2"] = _ROOT.digest
    copies = [replace(copy_to(end, tag), status=Status.COPIED) for tag in ("1", "2")]
    found = verify_targets(copies, {end.name: end}, _ROOT, retry)
    assert [copy.status for copy in found] == [Status.COPIED] * 2
    assert all(copy.verification is not None for copy in found)
    assert {end.asked[f"GET {digest}"] for digest in _IMAGE.blobs} == {1}


def test_a_copy_that_failed_is_not_read_and_keeps_its_error(
    end: Memory, retry: RetryContext
) -> None:
    failed = copy_to(end, "1").failed(AccessDenied("no"))
    assert verify_targets([failed], {end.name: end}, _ROOT, retry) == [failed]
    assert not end.asked


def test_a_target_that_cannot_be_read_back_has_failed_alone(
    end: Memory, retry: RetryContext
) -> None:
    class Refusing(Memory):
        def get_manifest(self, reference: str) -> Manifest:
            raise AccessDenied("no reading")

    refusing = Refusing("refusing.example/x")
    copies = [replace(copy_to(one, "1"), status=Status.COPIED) for one in (refusing, end)]
    ends = {refusing.name: refusing, end.name: end}
    failed, good = verify_targets(copies, ends, _ROOT, retry)
    assert isinstance(failed.error, AccessDenied)
    assert (failed.status, good.status) == (Status.FAILED, Status.COPIED)


def test_an_end_that_serves_another_manifest_differs(end: Memory, retry: RetryContext) -> None:
    class Lying(Memory):
        def get_manifest(self, reference: str) -> Manifest:
            raise ContentMismatch("other bytes", expected=reference, got="another")

    lying = Lying("target.example/x")
    [difference] = read(lying, retry).differences
    assert (difference.flaw, difference.got) == (Flaw.DIGEST, "another")
