"""Layers that are read from the URLs in a manifest: from where, and what is said there."""

from __future__ import annotations

import pytest

from regimport import Credential, LimitExceeded, Limits, NotFound
from regimport.errors import ContentMismatch
from support.images import Image
from support.miniature import BasicDoor
from support.publishers import Published, windows
from support.scripted import Heard, Say
from support.world import World

_USER = Credential("alice", "secret")


def _base(served: Image, lacking: Image) -> tuple[str, bytes]:
    """The digest and the bytes of the layer that only one of two images has."""
    ((digest, content),) = set(served.blobs.items()) - set(lacking.blobs.items())
    return digest, content


def _lacking(url: str) -> tuple[Published, str, bytes]:
    published = windows(url=url)
    return published, *_base(windows(served=True).image, published.image)


def test_a_layer_comes_from_its_url_without_credentials_and_is_checked(world: World) -> None:
    published, digest, content = _lacking("http://mcr.example/layer?sig=1")
    world.image = published.image
    world.registry("one.example", "app", door=BasicDoor({"alice": "secret"}))
    elsewhere = world.serve("mcr.example", lambda _: Say(200, body=content))
    two = world.registry("two.example")
    report = world.copy("one.example/app", "two.example/app", _USER, foreign_layers="copy")
    assert two.blobs["app"][digest] == content
    assert report.tally.blobs_skipped == 0
    assert [heard.path for heard in elsewhere.heard] == ["/layer?sig=1"]
    assert all(heard.authorization is None for heard in elsewhere.heard)


def test_a_url_at_the_registry_itself_is_asked_without_credentials_too(world: World) -> None:
    published, digest, content = _lacking("http://one.example/files/layer")
    world.image = published.image
    one = world.registry("one.example", "app", door=BasicDoor({"alice": "secret"}))

    def script(heard: Heard) -> Say:
        return Say(200, body=content) if heard.path == "/files/layer" else one(heard)

    world.servers["one.example"].script = script
    two = world.registry("two.example")
    world.copy("one.example/app", "two.example/app", _USER, foreign_layers="copy")
    assert two.blobs["app"][digest] == content
    heard = [heard for heard in world.heard("one.example") if heard.path == "/files/layer"]
    assert [one.authorization for one in heard] == [None]


def test_other_bytes_than_those_of_the_digest_are_refused(world: World) -> None:
    published, digest, content = _lacking("http://mcr.example/layer")
    world.image = published.image
    world.registry("one.example", "app")
    world.serve("mcr.example", lambda _: Say(200, body=content[::-1]))
    two = world.registry("two.example")
    with pytest.raises(ContentMismatch):
        world.copy("one.example/app", "two.example/app", foreign_layers="copy")
    assert digest not in two.blobs["app"]
    assert "latest" not in two.manifests.get("app", {})


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/latest/meta-data",
        "http://169.254.169.254/latest/meta-data",
        "http://[fd00:ec2::254]/x",
        "http://user:secret@mcr.example/x",
        "file:///etc/passwd",
        "/relative",
        "http://2130706433/",
    ],
)
def test_no_image_sends_us_to_this_machine_or_its_network(world: World, url: str) -> None:
    published, *_ = _lacking(url)
    world.image = published.image
    world.registry("one.example", "app")
    elsewhere = world.serve("mcr.example", lambda _: Say(404))
    two = world.registry("two.example")
    with pytest.raises(NotFound, match="foreign layer") as caught:
        world.copy("one.example/app", "two.example/app", foreign_layers="copy")
    assert "secret" not in str(caught.value)
    assert elsewhere.heard == []
    assert "latest" not in two.manifests.get("app", {})


@pytest.mark.parametrize("wanted", ["auto", "skip"])
def test_nothing_is_fetched_unless_that_is_wanted(world: World, wanted: str) -> None:
    published, _, content = _lacking("http://mcr.example/layer")
    world.image = published.image
    world.registry("one.example", "app")
    elsewhere = world.serve("mcr.example", lambda _: Say(200, body=content))
    two = world.registry("two.example")
    report = world.copy("one.example/app", "two.example/app", foreign_layers=wanted)
    assert report.tally.blobs_skipped == 1
    assert elsewhere.heard == []
    assert two.holds("app", published.image)


def test_a_layer_that_is_served_is_left_out_only_on_request(world: World) -> None:
    world.image = windows(served=True).image
    digest, _ = _base(world.image, windows().image)
    world.registry("one.example", "app")
    two = world.registry("two.example")
    for wanted, there in (("skip", False), ("auto", True)):
        world.copy("one.example/app", f"two.example/{wanted}", foreign_layers=wanted)
        assert (digest in two.blobs[wanted]) is there


def test_a_layer_over_the_limit_is_not_fetched(world: World) -> None:
    published, *_ = _lacking("http://mcr.example/layer")
    world.image = published.image
    world.registry("one.example", "app")
    elsewhere = world.serve("mcr.example", lambda _: Say(404))
    world.registry("two.example")
    with pytest.raises(LimitExceeded):
        world.copy(
            "one.example/app",
            "two.example/app",
            foreign_layers="copy",
            limits=Limits(max_layer_size=1000),
        )
    assert elsewhere.heard == []


def test_a_layer_that_is_not_served_does_not_fail_a_copy_within_one_registry(world: World) -> None:
    published, _, content = _lacking("http://mcr.example/layer")
    world.image = published.image
    one = world.registry("one.example", "app")
    assert world.copy("one.example/app", "one.example/copy").exit_code == 0
    assert one.holds("copy", published.image)
    world.serve("mcr.example", lambda _: Say(200, body=content))
    world.copy("one.example/app", "one.example/whole", foreign_layers="copy")
    assert one.holds("whole", windows(served=True, url="http://mcr.example/layer").image)
