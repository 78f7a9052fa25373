"""Any graph of manifests arrives whole, each digest once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.memory import Memory, copy_to, stored
from regimport.engine.plan import make_plans
from regimport.engine.retrying import RetryContext
from regimport.engine.target import Status
from regimport.engine.transfer import Transfer, transfer
from regimport.engine.workers import Workers
from regimport.events import Silent
from regimport.options import RetryPolicy
from support.images import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Image


@dataclass(frozen=True)
class Shape:
    """A graph to be built: for each manifest its layers, for each index its earlier nodes."""

    manifests: tuple[tuple[int, ...], ...]
    indexes: tuple[tuple[int, ...], ...]


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    layers = st.lists(st.integers(0, 5), max_size=4).map(tuple)
    manifests = tuple(draw(st.lists(layers, min_size=1, max_size=5)))
    indexes: list[tuple[int, ...]] = []
    for number in range(draw(st.integers(0, 5))):
        earlier = st.integers(0, len(manifests) + number - 1)
        indexes.append(tuple(draw(st.lists(earlier, max_size=4))))
    return Shape(manifests, tuple(indexes))


def image_of(shape: Shape) -> Image:
    image = Image()
    nodes: list[dict[str, object]] = []
    for number, layers in enumerate(shape.manifests):
        config = image.blob(json.dumps({"n": number}).encode(), OCI_CONFIG)
        found = [image.blob(bytes([layer]) * (layer * 9)) for layer in layers]
        nodes.append(image.manifest(config, found, OCI_MANIFEST, annotations={"n": str(number)}))
    for number, children in enumerate(shape.indexes):
        listed = [nodes[child] for child in children]
        nodes.append(image.index(listed, OCI_INDEX, annotations={"n": str(number)}))
    return image


def reached(image: Image, digest: str, found: set[str]) -> set[str]:
    """The digests under a manifest, by another walk than the engine's."""
    if digest not in found:
        found.add(digest)
        document = json.loads(image.manifests[digest][1])
        blobs = [document["config"]] if "config" in document else []
        found.update(blob["digest"] for blob in blobs + document.get("layers", []))
        for child in document.get("manifests", []):
            reached(image, child["digest"], found)
    return found


def carry(source: Memory, root: str, targets: list[Memory], jobs: int = 2) -> Transfer:
    copies = [copy_to(target) for target in targets]
    with Workers(jobs) as workers:
        descriptor = source.manifests[root].descriptor
        graph, copies = make_plans(source, descriptor, copies, workers, Silent())
        return transfer(source, graph, copies, RetryContext(RetryPolicy(), workers, Silent()))


@given(shapes(), st.integers(1, 4), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_any_graph_arrives_whole_and_each_digest_moves_once(
    shape: Shape, jobs: int, count: int
) -> None:
    image = image_of(shape)
    source = stored(image)
    targets = [Memory(f"target.example/{number}") for number in range(count)]
    result = carry(source, image.root, targets, jobs)
    assert [copy.status for copy in result.targets] == [Status.COPIED] * count
    whole = reached(image, image.root, set())
    for target in targets:
        assert set(target.blobs) | set(target.manifests) == whole
        assert target.by_tag == {"tag": image.root}
        assert target.order[-1] == "tag"
        assert len(target.order) == len(set(target.order))
        puts = [number for what, number in target.asked.items() if what.startswith("PUT")]
        assert set(puts) <= {1}
    reads = {what: number for what, number in source.asked.items() if what.startswith("GET")}
    assert reads == {f"GET {digest}": 1 for digest in whole}


@given(shapes(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_what_a_target_has_is_neither_read_nor_put_again(shape: Shape, random: Random) -> None:
    image = image_of(shape)
    source = stored(image)
    target = Memory("target.example/x")
    whole = reached(image, image.root, set())
    blobs = sorted(whole & set(image.blobs))
    kept = {digest for digest in blobs if random.random() < 0.5}
    target.blobs.update({digest: image.blobs[digest] for digest in kept})
    result = carry(source, image.root, [target])
    assert [copy.status for copy in result.targets] == [Status.COPIED]
    assert set(target.blobs) | set(target.manifests) == whole
    read = {what.removeprefix("GET ") for what in source.asked if what.startswith("GET")}
    assert not read & kept
