"""Comparing images and repositories."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import regimport
from regimport import AccessDenied, Change, CopyOptions, InvalidReference, NotFound, RetryPolicy
from regimport.server.run import serving
from support.client import Client
from support.images import OCI_CONFIG, Image, single, some_bytes
from support.miniature import Miniature, complaint
from support.scripted import Heard, Say, Scripted

FAST = CopyOptions(retry=RetryPolicy(attempts=2, first_delay=0, longest_delay=0))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with serving(tmp_path / "registry") as running:
        yield running.address


def image(layers: int = 1, **platforms: Mapping[str, object]) -> Image:
    """An index of one manifest for each architecture, with that in its configuration."""
    made = Image()
    children = []
    for architecture, settings in platforms.items():
        platform = {"os": "linux", "architecture": architecture}
        config = made.blob(json.dumps(platform | {"config": settings}).encode(), OCI_CONFIG)
        blobs = [made.blob(some_bytes(f"layer {number}", 200)) for number in range(layers)]
        children.append(made.manifest(config, blobs, platform=platform))
    made.index(children)
    return made


def test_two_copies_of_an_image_are_the_same(registry: str) -> None:
    client = Client(registry)
    client.push("one", single(), "1")
    client.push("two", single(), "1")
    found = regimport.diff(f"{registry}/one:1", f"{registry}/two")
    assert found.same
    assert found.changes == ()


def test_what_differs_is_named_by_platform(registry: str) -> None:
    client = Client(registry)
    old = image(2, amd64={"Labels": {"a": "1"}, "Env": ["PATH=/bin", "X=1"]}, arm64={})
    new = image(3, amd64={"Labels": {"b": "2"}, "Env": ["PATH=/usr/bin"], "Cmd": ["run"]}, s390x={})
    client.push("app", old, "old")
    client.push("app", new, "new")
    found = regimport.diff(f"{registry}/app:old", f"{registry}/app:new")
    changes = {(change.platform, change.subject): change for change in found.changes}

    def of(subject: str) -> tuple[str | None, str | None]:
        change = changes["linux/amd64", subject]
        return change.first, change.second

    assert not found.same
    assert of("label a") == ("1", None)
    assert of("label b") == (None, "2")
    assert of("environment PATH") == ("/bin", "/usr/bin")
    assert of("environment X") == ("1", None)
    assert of("command") == (None, "run")
    assert ("linux/amd64", "layer 2") not in changes
    assert of("layer 3")[0] is None
    assert changes["linux/arm64", "manifest"].second is None
    assert changes["linux/s390x", "manifest"].first is None
    assert changes["", "digest"] == Change("", "digest", old.root, new.root)


def test_the_tags_of_two_repositories_are_compared_by_digest(registry: str) -> None:
    client = Client(registry)
    client.push("one", single("a"), "1", "2", "old-3")
    client.push("two", single("a"), "1")
    client.push("two", single("b"), "2", "4")
    found = regimport.diff_tags(f"{registry}/one", f"{registry}/two", exclude=("old-*",))
    digests = (single("a").root, single("b").root)
    assert found.changes == (
        Change("", "tag 2", *digests),
        Change("", "tag 4", None, digests[1]),
    )
    assert regimport.diff_tags(f"{registry}/one", f"{registry}/two", match=("1",)).same
    with pytest.raises(InvalidReference):
        regimport.diff_tags(f"{registry}/one:1", f"{registry}/two")


@pytest.mark.parametrize("refusing", [0, 1])
def test_what_a_registry_refuses_is_an_error_and_no_difference(refusing: int) -> None:
    held = Miniature()
    held.hold("app", single(), "1")

    def refuse(heard: Heard) -> Say:
        return complaint(403, "DENIED") if "/manifests/" in heard.path else held(heard)

    with Scripted(held) as one, Scripted(refuse) as other:
        ends = [f"{served.address}/app" for served in (one, other)]
        first, second = ends if refusing else reversed(ends)
        with pytest.raises(AccessDenied):
            regimport.diff(f"{first}:1", f"{second}:1", options=FAST)
        with pytest.raises(AccessDenied):
            regimport.diff_tags(first, second, options=FAST)


def test_an_image_that_is_not_there_is_an_error(registry: str) -> None:
    Client(registry).push("app", single(), "1")
    for pair in (("app:1", "app:2"), ("app:2", "app:1")):
        with pytest.raises(NotFound):
            regimport.diff(*(f"{registry}/{name}" for name in pair))
