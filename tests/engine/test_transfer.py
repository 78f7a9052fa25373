"""Any graph of manifests arrives whole, each digest once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.memory import Memory, MemoryUpload, Told, copy_to, root_of, stored
from regimport.engine.plan import make_plans
from regimport.engine.retrying import RetryContext
from regimport.engine.tally import Tally
from regimport.engine.target import Status
from regimport.engine.transfer import Transfer, transfer
from regimport.engine.workers import Workers
from regimport.errors import AccessDenied
from regimport.events import BlobFinished, Planned, ReadingManifests, Reporter, Silent
from regimport.models.descriptor import Descriptor
from regimport.models.manifest import Manifest
from regimport.options import RetryPolicy
from support.images import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Image, many_platforms, single

_SILENT = Silent()


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


def carry(
    source: Memory,
    root: str,
    targets: Sequence[Memory],
    jobs: int = 2,
    told: Reporter = _SILENT,
) -> Transfer:
    copies = [copy_to(target) for target in targets]
    with Workers(jobs) as workers:
        descriptor = source.manifests[root].descriptor
        graph, copies = make_plans(source, descriptor, copies, workers, told)
        return transfer(source, graph, copies, RetryContext(RetryPolicy(), workers, told))


@given(shapes(), st.integers(1, 4), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_any_graph_arrives_whole_and_each_digest_moves_once(
    shape: Shape, jobs: int, count: int
) -> None:
    image = image_of(shape)
    source = stored(image)
    targets = [Memory(f"target{number}.example/x") for number in range(count)]
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


@given(shapes(), st.integers(1, 4), st.integers(2, 4))
@settings(max_examples=60, deadline=None)
def test_of_the_repositories_of_a_registry_one_is_sent_each_blob_and_the_others_mount_it(
    shape: Shape, jobs: int, count: int
) -> None:
    image = image_of(shape)
    source = stored(image)
    targets = [Memory(f"target.example/{number}") for number in range(count)]
    for target in targets:
        target.neighbours = {str(number): other for number, other in enumerate(targets)}
    result = carry(source, image.root, targets, jobs)
    assert [copy.status for copy in result.targets] == [Status.COPIED] * count
    blobs = sorted(reached(image, image.root, set()) & set(image.blobs))
    reads = {what: number for what, number in source.asked.items() if what[4:] in blobs}
    assert reads == {f"GET {digest}": 1 for digest in blobs}
    sent = Counter(what for target in targets for what in target.asked if what.startswith("PUT"))
    assert sent == {f"PUT {digest}": 1 for digest in blobs}
    for copy in result.targets:
        assert copy.plan is not None
        assert Tally.of(copy.plan) == copy.tally
    assert sum(copy.tally.blobs_copied for copy in result.targets) == len(blobs)


@given(shapes(), st.integers(1, 4), st.integers(2, 4))
@settings(max_examples=60, deadline=None)
def test_a_registry_that_refuses_a_mount_is_sent_the_rest_at_once(
    shape: Shape, jobs: int, count: int
) -> None:
    image = image_of(shape)
    source = stored(image)
    targets = [Memory(f"target.example/{number}") for number in range(count)]
    result = carry(source, image.root, targets, jobs)
    assert [copy.status for copy in result.targets] == [Status.COPIED] * count
    blobs = sorted(reached(image, image.root, set()) & set(image.blobs))
    reads = [number for what, number in source.asked.items() if what[4:] in blobs]
    assert sum(reads) == len(blobs) + bool(blobs)
    for copy in result.targets:
        assert copy.tally.blobs_copied == len(blobs)


def test_a_repository_that_fails_leaves_the_blob_to_the_next_of_its_registry() -> None:
    image = single()
    targets = [
        Refusing("blob", "target.example/0"),
        *(Memory(f"target.example/{n}") for n in (1, 2)),
    ]
    for target in targets:
        target.neighbours = {str(number): other for number, other in enumerate(targets)}
    result = carry(stored(image), image.root, targets)
    statuses = [copy.status for copy in result.targets]
    assert statuses == [Status.FAILED, Status.COPIED, Status.COPIED]
    assert [copy.tally.blobs_copied > 0 for copy in result.targets] == [False, True, False]


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


class Refusing(Memory):
    """A target that takes no blob, or no manifest."""

    def __init__(self, what: str, name: str = "refusing.example/x") -> None:
        super().__init__(name)
        self._what = what

    def start_upload(
        self, blob: Descriptor, *, mount_from: str | None = None, anew: bool = False
    ) -> MemoryUpload | None:
        if self._what == "blob":
            raise AccessDenied("no blobs")
        return super().start_upload(blob, mount_from=mount_from, anew=anew)

    def put_manifest(self, manifest: Manifest, reference: str) -> bool:
        if self._what == "manifest":
            raise AccessDenied("no manifests")
        return super().put_manifest(manifest, reference)


@pytest.mark.parametrize("what", ["blob", "manifest"])
def test_a_target_that_fails_does_not_stop_the_others_and_gets_no_tag(what: str) -> None:
    image = many_platforms()
    refusing, good = Refusing(what), Memory("target.example/x")
    failed, copied = carry(stored(image), image.root, [refusing, good]).targets
    assert isinstance(failed.error, AccessDenied)
    assert (failed.status, copied.status) == (Status.FAILED, Status.COPIED)
    assert refusing.by_tag == {}
    assert good.by_tag == {"tag": image.root}


def test_what_was_moved_is_counted_at_each_target_and_at_the_source() -> None:
    image = many_platforms()
    whole, empty = Memory("whole.example/x"), Memory("empty.example/x")
    whole.blobs.update(image.blobs)
    result = carry(stored(image), image.root, [whole, empty])
    size = sum(map(len, image.blobs.values()))
    count, manifests = len(image.blobs), len(image.manifests)
    assert result.bytes_read == size
    assert [copy.tally for copy in result.targets] == [
        Tally(manifests_copied=manifests, blobs_present=count, bytes_present=size),
        Tally(manifests_copied=manifests, blobs_copied=count, bytes_copied=size),
    ]


def test_what_will_move_is_reported_before_it_moves_each_blob_once() -> None:
    image, told = many_platforms(), Told()
    targets = [Memory("one.example/x"), Memory("two.example/x")]
    carry(stored(image), image.root, targets, told=told)
    size = sum(map(len, image.blobs.values()))
    planned = Planned(len(image.blobs), size, 2 * len(image.manifests))
    events = [event for event in told.events if not isinstance(event, ReadingManifests)]
    assert events[0] == planned
    finished = [event for event in events if isinstance(event, BlobFinished)]
    assert {event.outcome for event in finished} == {"copied"}
    assert len(finished) == 2 * len(image.blobs)


def test_every_tag_of_a_repository_is_put_after_all_that_is_under_it() -> None:
    image, target = many_platforms(), Memory("target.example/x")
    with Workers(2) as workers:
        copies = [copy_to(target, "1", "2")]
        graph, copies = make_plans(stored(image), root_of(image), copies, workers, Silent())
        retry = RetryContext(RetryPolicy(), workers, Silent())
        transfer(stored(image), graph, copies, retry)
    assert target.order[-2:] == ["1", "2"]
    assert target.by_tag == {"1": image.root, "2": image.root}
