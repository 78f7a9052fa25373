"""Many images in one run: what each comes to, what they share, and what they cost."""

from __future__ import annotations

import json
import pickle
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

import regimport
from regimport import (
    AccessDenied,
    CopyOptions,
    Event,
    ImageFinished,
    ImageReport,
    Interrupted,
    InvalidOptions,
    InvalidReference,
    ManyReport,
    NotFound,
    OfImage,
    RateLimited,
    Status,
)
from support.images import Image, many_platforms, single
from support.miniature import Miniature
from support.scripted import Heard, Say, Scripted

IMAGES = [single(str(number)) for number in range(6)]


class Ends:
    """Two registries: `a`, which has the images in app0:1, app1:1, …, and `b`."""

    def __init__(self, stack: ExitStack) -> None:
        self.held, self.taken = Miniature(), Miniature()
        for number, image in enumerate(IMAGES):
            self.held.hold(f"app{number}", image, "1")
        self.a = stack.enter_context(Scripted(self.held))
        self.b = stack.enter_context(Scripted(self.taken))

    def pairs(self, *numbers: int) -> list[tuple[str, str]]:
        return [(f"{self.a.address}/app{n}:1", f"{self.b.address}/x{n}") for n in numbers]


@pytest.fixture
def ends() -> Iterator[Ends]:
    with ExitStack() as stack:
        yield Ends(stack)


class Told:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def tell(self, event: Event) -> None:
        self.events.append(event)


def asked(server: Scripted) -> Counter[str]:
    return Counter(f"{heard.method} {heard.path}" for heard in server.heard)


def test_all_images_are_copied_and_reported_in_their_order(ends: Ends) -> None:
    seen: list[ImageReport] = []
    report = regimport.copy_many(ends.pairs(3, 0, 5), finished=seen.append)
    assert [image.source for image in report.images] == [
        f"{ends.a.address}/app{number}:1" for number in (3, 0, 5)
    ]
    assert list(report.images) == seen
    assert [image.status for image in report.images] == [Status.COPIED] * 3
    assert all(ends.taken.holds(f"x{number}", IMAGES[number], "1") for number in (3, 0, 5))
    assert report.exit_code == 0
    assert [image.report.pulls for image in report.images if image.report] == [1, 1, 1]
    assert pickle.loads(pickle.dumps(report)) == report
    assert json.loads(report.to_json())["images"][1]["status"] == "copied"


def test_a_failure_does_not_end_the_others_and_is_in_the_report(ends: Ends) -> None:
    pairs = ends.pairs(0, 9, 1)
    report = regimport.copy_many(pairs)
    assert [image.status for image in report.images] == [
        Status.COPIED,
        Status.FAILED,
        Status.COPIED,
    ]
    assert isinstance(report.images[1].error, NotFound)
    assert report.exit_code == 1
    with pytest.raises(NotFound):
        report.raise_for_failure()
    assert "failed: the source has no" in str(report).splitlines()[1]


def test_images_that_are_there_cost_a_head_at_each_side(ends: Ends) -> None:
    regimport.copy_many(ends.pairs(0, 1, 2))
    ends.a.heard.clear()
    ends.b.heard.clear()
    report = regimport.copy_many(ends.pairs(0, 1, 2))
    assert [image.status for image in report.images] == [Status.PRESENT] * 3
    assert [heard.method for heard in ends.a.heard + ends.b.heard] == ["HEAD"] * 6


def test_a_source_that_is_named_again_is_read_once_and_a_pair_counts_once(ends: Ends) -> None:
    source = f"{ends.a.address}/app0:1"
    targets = [f"{ends.b.address}/{name}" for name in ("x", "y", "x")]
    report = regimport.copy_many([(source, target) for target in targets])
    (image,) = report.images
    assert image.targets == tuple(f"{target}:1" for target in targets[:2])
    reads = {what: count for what, count in asked(ends.a).items() if "/blobs/" in what}
    assert set(reads.values()) == {1}


def test_two_sources_for_one_target_and_a_bad_reference_are_refused_before_any_request(
    ends: Ends,
) -> None:
    (first, target), (second, _) = ends.pairs(0, 1)
    with pytest.raises(InvalidOptions, match="two images are to have the target"):
        regimport.copy_many([(first, target), (second, target)])
    with pytest.raises(InvalidReference):
        regimport.copy_many([(first, target), ("x:", target)])
    assert not ends.a.heard + ends.b.heard


def test_dry_run_no_clobber_and_verify_hold_for_each(ends: Ends) -> None:
    planned = regimport.copy_many(ends.pairs(0, 1), options=CopyOptions(dry_run=True))
    assert [image.status for image in planned.images] == [Status.PLANNED] * 2
    assert not ends.taken.manifests
    ends.taken.hold("x0", IMAGES[1], "1")
    options = CopyOptions(no_clobber=True, verify=True)
    report = regimport.copy_many(ends.pairs(0, 1), options=options)
    assert [image.status for image in report.images] == [Status.FAILED, Status.COPIED]
    assert ends.taken.holds("x0", IMAGES[1], "1")
    assert report.images[1].report is not None
    assert report.images[1].report.targets[0].verification is not None


def test_events_say_which_image_they_are_of(ends: Ends) -> None:
    told = Told()
    regimport.copy_many(ends.pairs(0, 1), reporter=told)
    images = Counter(event.image for event in told.events if isinstance(event, OfImage))
    assert set(images) == {source for source, _ in ends.pairs(0, 1)}
    inner = [event.event for event in told.events if isinstance(event, OfImage)]
    ended = [event for event in inner if isinstance(event, ImageFinished)]
    assert ended == [ImageFinished("copied", 1, 2), ImageFinished("copied", 2, 2)]


def test_a_stop_ends_all_images_in_order(ends: Ends) -> None:
    stop, reached = threading.Event(), threading.Event()

    def script(heard: Heard) -> Say:
        if heard.method == "PUT" and "digest=" in heard.path:
            stop.set()
            reached.wait(1)
        return ends.taken(heard)

    ends.b.script = script
    with pytest.raises(Interrupted):
        regimport.copy_many(ends.pairs(*range(6)), stop=stop)
    reached.set()
    assert not [name for kept in ends.taken.manifests.values() for name in kept if ":" not in name]


def test_the_exit_code_is_that_of_rate_limits_alone_or_one() -> None:
    limited, denied = RateLimited("later"), AccessDenied("no")

    def code(*errors: RateLimited | AccessDenied | InvalidOptions) -> int:
        images = tuple(ImageReport("a", ("b",), error=error) for error in errors)
        return ManyReport(images, 1.0).exit_code

    assert code() == 0
    assert code(limited, limited) == 8
    assert code(denied, limited) == 1
    assert code(denied) == 1
    assert code(denied, InvalidOptions("bad")) == 2


def tagged(count: int) -> tuple[Miniature, list[Image]]:
    """A registry with a repository whose tags share all layers but one."""
    held = Miniature()
    base = many_platforms("base", platforms=2)
    images = []
    for number in range(count):
        image = Image()
        layers = [image.blob(content) for content in base.blobs.values()]
        config = image.blob(json.dumps({"n": number}).encode())
        image.manifest(config, [*layers, image.blob(b"own %d" % number)])
        held.hold("app", image, f"v{number}")
        images.append(image)
    return held, images


def test_two_hundred_tags_share_blobs_and_connections_and_cost_the_same_each() -> None:
    costs = {}
    for count in (20, 200):
        (held, images), taken = tagged(count), Miniature()
        with Scripted(held) as a, Scripted(taken) as b:
            report = regimport.copy_tags(f"{a.address}/app", f"{b.address}/app")
            assert report.exit_code == 0
            assert len(report.images) == count
            assert max(a.connections, b.connections) <= 32
            sent = Counter(what for what in asked(b).elements() if "digest=" in what)
            assert len(sent) == sum(sent.values())
            reads = {what: n for what, n in asked(a).items() if "/blobs/" in what}
            assert set(reads.values()) == {1}
            costs[count] = (len(a.heard) + len(b.heard)) / count
            a.heard.clear()
            b.heard.clear()
            again = regimport.copy_tags(f"{a.address}/app", f"{b.address}/app")
            assert [image.status for image in again.images] == [Status.PRESENT] * count
            assert [heard.method for heard in b.heard] == ["HEAD"] * count
            assert len(a.heard) == count + 1
        assert all(taken.holds("app", image, f"v{n}") for n, image in enumerate(images))
    assert costs[200] <= costs[20]


def test_some_tags_are_chosen_by_globs_and_an_empty_choice_says_what_there_is() -> None:
    held, _ = tagged(12)
    taken = Miniature()
    with Scripted(held) as a, Scripted(taken) as b:
        source, target = f"{a.address}/app", f"{b.address}/app"
        regimport.copy_tags(source, target, match=["v1*", "v2"], exclude=["v11"])
        tags = {name for name in taken.manifests["app"] if ":" not in name}
        assert tags == {"v1", "v10", "v2"}
        with pytest.raises(NotFound, match=r"there are v0, v1, .* and 2 more"):
            regimport.copy_tags(source, target, match=["w*"])
        for names in ((f"{source}:v1", target), (source, f"{target}:v1")):
            with pytest.raises(InvalidReference, match="names an image"):
                regimport.copy_tags(*names)


def test_a_blob_that_one_image_has_brought_is_mounted_by_the_next() -> None:
    image, taken = single(), Miniature()
    held = Miniature()
    for number in range(3):
        other = Image()
        layers = [other.blob(content) for content in image.blobs.values()]
        other.manifest(other.blob(b"%d" % number), layers)
        held.hold(f"app{number}", other, "1")
    with Scripted(held) as a, Scripted(taken) as b:
        pairs = [(f"{a.address}/app{n}:1", f"{b.address}/x{n}") for n in range(3)]
        report = regimport.copy_many(pairs)
        sent = Counter(what for what in asked(b).elements() if "digest=" in what)
    assert report.exit_code == 0
    shared = set(image.blobs)
    for digest in shared:
        assert sum(count for what, count in sent.items() if digest[7:] in what) == 1
    assert report.tally.blobs_mounted == 2 * len(shared)


def test_nobody_is_asked_what_is_left_behind_where_nobody_would_hear_it(ends: Ends) -> None:
    image = (f"{ends.a.address}/app0:1", f"{ends.b.address}/x:1")
    regimport.copy_many([image])
    regimport.copy_tags(f"{ends.a.address}/app1", f"{ends.b.address}/y")
    assert not any("/referrers/" in heard.path for heard in ends.a.heard)
    regimport.copy_many([(image[0], f"{ends.b.address}/z:1")], reporter=Told())
    assert any("/referrers/" in heard.path for heard in ends.a.heard)
