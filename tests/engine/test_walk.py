"""The graph under a root: what is read of it, what is only asked for, and where it ends."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from engine.memory import Memory, Told, copy_to, root_of, stored
from regimport.engine import walk as walking
from regimport.engine.target import TargetCopy
from regimport.engine.walk import MAX_DEPTH, Graph, visit_levels, walk
from regimport.engine.workers import Workers
from regimport.errors import ContentMismatch, InvalidManifest, Side
from regimport.events import ReadingManifests
from regimport.models.descriptor import Descriptor
from regimport.models.manifest import Manifest
from support.images import OCI_CONFIG, Image, many_platforms, nested


def walked(
    source: Memory, image: Image, *targets: Memory, told: Told | None = None
) -> tuple[Graph, list[TargetCopy]]:
    copies = [copy_to(target) for target in targets]
    with Workers(3) as workers:
        return walk(source, root_of(image), workers, told or Told(), copies)


def reads(end: Memory) -> set[str]:
    return {what.removeprefix("GET ") for what in end.asked if what.startswith("GET ")}


def holding(image: Image, *digests: str) -> Memory:
    """A target that holds some of an image's manifests."""
    target = Memory("target.example/x")
    whole = stored(image)
    target.manifests.update({digest: whole.manifests[digest] for digest in digests})
    return target


def test_without_targets_everything_is_read_once_parents_first() -> None:
    image = nested()
    source = stored(image)
    graph, _ = walked(source, image)
    assert reads(source) == set(image.manifests)
    assert set(source.asked.values()) == {1}
    order = [manifest.digest for manifest in graph.manifests]
    for manifest in graph.manifests:
        for child in manifest.manifests:
            assert order.index(manifest.digest) < order.index(child.digest)
    assert {child.digest for child in graph.named} == set(image.manifests) - {image.root}


def test_each_target_is_asked_for_every_manifest_and_says_which_it_holds() -> None:
    image = many_platforms()
    first, second, _ = (digest for digest in image.manifests if digest != image.root)
    targets = [holding(image, first), holding(image, first, second)]
    targets[1] = Memory("other.example/x")
    targets[1].manifests.update(holding(image, first, second).manifests)
    _, copies = walked(stored(image), image, *targets)
    assert [copy.existing for copy in copies] == [{first}, {first, second}]
    for target in targets:
        assert set(target.asked) == {f"HEAD {digest}" for digest in image.manifests}


def test_a_manifest_that_every_target_holds_is_not_read_but_an_index_is() -> None:
    image = nested()
    source = stored(image)
    graph, _ = walked(source, image, holding(image, *image.manifests))
    indexes = {d for d, (kind, _) in image.manifests.items() if "index" in kind}
    assert reads(source) == indexes
    assert {child.digest for child in graph.named} == set(image.manifests) - {image.root}


def test_a_manifest_that_one_target_lacks_is_read() -> None:
    image = many_platforms()
    source = stored(image)
    other = Memory("other.example/x")
    walked(source, image, holding(image, *image.manifests), other)
    assert reads(source) == set(image.manifests)


def test_it_is_reported_how_many_manifests_will_be_read_before_they_are() -> None:
    image = many_platforms(platforms=4)
    told = Told()
    walked(stored(image), image, told=told)
    assert told.events == [ReadingManifests(1), ReadingManifests(4)]
    told = Told()
    walked(stored(image), image, holding(image, *image.manifests), told=told)
    assert told.events == [ReadingManifests(1)]


def test_a_manifest_of_another_size_than_its_descriptor_says_is_a_mismatch() -> None:
    image = Image()
    child = image.manifest(image.blob(b"{}", OCI_CONFIG), [])
    image.index([child | {"size": 7}])
    with pytest.raises(ContentMismatch, match="its descriptor says 7") as caught:
        walked(stored(image), image)
    assert caught.value.side is Side.SOURCE


def deep(levels: int) -> Image:
    """An image of so many levels: indexes, and a manifest at the bottom."""
    image = Image()
    node = image.manifest(image.blob(b"{}", OCI_CONFIG), [])
    for number in range(levels - 1):
        node = image.index([node], annotations={"level": str(number)})
    return image


def test_an_image_may_be_as_deep_as_the_limit_and_no_deeper() -> None:
    graph, _ = walked(stored(deep(MAX_DEPTH)), deep(MAX_DEPTH))
    assert len(graph.manifests) == MAX_DEPTH
    with pytest.raises(InvalidManifest, match="deep") as caught:
        walked(stored(deep(MAX_DEPTH + 1)), deep(MAX_DEPTH + 1))
    assert caught.value.side is Side.SOURCE


def test_an_image_may_name_as_many_manifests_as_the_limit_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(walking, "MAX_MANIFESTS_IN_GRAPH", 4)
    walked(stored(many_platforms(platforms=3)), many_platforms(platforms=3))
    with pytest.raises(InvalidManifest, match="more than 4 manifests"):
        walked(stored(many_platforms(platforms=4)), many_platforms(platforms=4))


def test_levels_are_visited_once_each_without_what_was_visited_before() -> None:
    image = nested()
    manifests = stored(image).manifests
    levels: list[list[str]] = []

    def visit(level: Sequence[Descriptor]) -> list[Manifest]:
        levels.append([child.digest for child in level])
        return [manifests[child.digest] for child in level]

    named = visit_levels(root_of(image), visit, Side.TARGET, "r.example/x")
    assert levels[0] == [image.root]
    visited = [digest for level in levels for digest in level]
    assert sorted(visited) == sorted(image.manifests)
    assert [child.digest for child in named] == visited[1:]
