"""Manifests that are taken from elsewhere: only where the source has said that it has them."""

from __future__ import annotations

import pytest

from engine.memory import Memory, stored
from regimport.engine.cached import CachedManifests
from regimport.errors import NotFound
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from support.images import DOCKER_MANIFEST, many_platforms

_IMAGE = many_platforms()
_ROOT = Manifest.parse(_IMAGE.raw)
_CHILD = _ROOT.manifests[0].digest


class Store(dict[Digest, bytes]):
    """Keeps bytes in memory."""

    def put(self, digest: Digest, content: bytes) -> None:
        self[digest] = content


@pytest.fixture
def source() -> Memory:
    made = stored(_IMAGE)
    made.by_tag["1"] = _ROOT.digest
    return made


def read_before(source: Memory) -> Store:
    store = Store()
    reader = CachedManifests(source, lambda: store)
    reader.get_manifest("1")
    reader.get_manifest(_CHILD)
    source.asked.clear()
    return store


def test_a_manifest_that_was_read_is_not_read_again(source: Memory) -> None:
    store = read_before(source)
    assert set(store) == {_ROOT.digest, _CHILD}
    again = CachedManifests(source, lambda: store)
    assert again.head_manifest("1") == _ROOT.descriptor
    assert again.get_manifest(_ROOT.digest) == _ROOT
    assert again.get_manifest(_CHILD).digest == _CHILD
    assert source.asked == {"HEAD 1": 1}


def test_nothing_is_taken_from_the_store_before_the_source_has_shown_it(source: Memory) -> None:
    """The image may be another user's, or gone."""
    store = read_before(source)
    stranger = CachedManifests(Memory(), lambda: store)
    with pytest.raises(NotFound):
        stranger.get_manifest(_ROOT.digest)
    assert stranger.head_manifest(_ROOT.digest) is None
    with pytest.raises(NotFound):
        stranger.get_manifest(_CHILD)
    later = CachedManifests(source, lambda: store)
    later.get_manifest(_CHILD)
    assert source.asked == {f"GET {_CHILD}": 1}


def test_a_tag_is_always_asked_of_the_source(source: Memory) -> None:
    store = read_before(source)
    again = CachedManifests(source, lambda: store)
    again.head_manifest("1")
    again.get_manifest("1")
    assert source.asked["GET 1"] == 1


def test_content_whose_type_its_bytes_do_not_say_is_not_kept(source: Memory) -> None:
    store = Store()
    raw = _IMAGE.manifests[_CHILD][1].replace(
        b'"mediaType": "application/vnd.oci.image.man', b'"x": "'
    )
    odd = Manifest.parse(raw, DOCKER_MANIFEST)
    source.manifests[odd.digest] = odd
    reader = CachedManifests(source, lambda: store)
    assert reader.get_manifest(odd.digest).media_type == DOCKER_MANIFEST
    assert not store
