"""Mirrors that lie: what they say in a head or a body neither ends a copy nor blames the source."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from regimport import Network, RegistrySettings
from support.images import digest_of
from support.miniature import Miniature
from support.scripted import Heard, Say
from support.world import World

Lie = Callable[[Heard, Say], Say]


def _wrong_digest(heard: Heard, say: Say) -> Say:
    return Say(say.status, {**say.headers, "Docker-Content-Digest": digest_of(b"other")}, say.body)


def _wrong_length_in_head(heard: Heard, say: Say) -> Say:
    if heard.method != "HEAD":
        return say
    return Say(say.status, {**say.headers, "Content-Length": "7"}, say.body)


def _wrong_type_in_head(heard: Heard, say: Say) -> Say:
    kind = "application/vnd.oci.image.index.v1+json"
    return (
        Say(say.status, {**say.headers, "Content-Type": kind}, say.body)
        if heard.method == "HEAD"
        else say
    )


def _other_bytes(heard: Heard, say: Say) -> Say:
    return Say(say.status, say.headers, b"x" * len(say.body))


def _more_bytes(heard: Heard, say: Say) -> Say:
    if heard.method == "HEAD":
        return say
    body = say.body + b"more"
    return Say(say.status, {**say.headers, "Content-Length": str(len(body))}, body)


def _chunked_without_end(heard: Heard, say: Say) -> Say:
    if heard.method == "HEAD" or "/blobs/" not in heard.path:
        return say
    body = say.body + b"more"
    framed = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    return Say(200, {"Transfer-Encoding": "chunked"}, framed)


@pytest.mark.parametrize(
    "lie",
    [
        _wrong_digest,
        _wrong_length_in_head,
        _wrong_type_in_head,
        _other_bytes,
        _more_bytes,
        _chunked_without_end,
    ],
)
@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize("mirrors", [1, 2])
def test_a_copy_past_a_lying_mirror_succeeds(
    world: World, lie: Lie, pinned: bool, mirrors: int
) -> None:
    world.registry("source.example", "app")
    target = world.registry("target.example")
    names = [f"mirror{number}.example" for number in range(mirrors)]
    for name in names:
        truth = Miniature()
        truth.hold("app", world.image)

        def script(heard: Heard, truth: Miniature = truth) -> Say:
            say = truth(heard)
            return lie(heard, say) if say.status == 200 and heard.path != "/v2/" else say

        world.serve(name, script)
    settings = RegistrySettings(mirrors=tuple(f"http://{name}" for name in names))
    network = Network(registries={"source.example": settings})
    reference = f"source.example/app@{world.image.root}" if pinned else "source.example/app"
    report = world.copy(reference, "target.example/app:1", network=network)
    assert report.exit_code == 0
    assert target.holds("app", world.image, "1")
    assert not [text for text in world.warnings if "source.example/app " in text]
