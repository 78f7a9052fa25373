"""Docker Hub's limit: shown at no cost, foreseen before it is reached, and told in reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from support.images import Image, many_platforms, single
from support.miniature import BasicDoor, Miniature
from support.program import Program
from support.registries import DockerRegistry
from support.scripted import Heard, Say, Scripted


class Hub:
    """A registry that counts manifests got, as Docker Hub does, and says what is left."""

    def __init__(self, limit: int) -> None:
        self.held = Miniature()
        self.left = limit
        self.limit: int | None = limit
        self.server = Scripted(self._answer)

    def _answer(self, heard: Heard) -> Say:
        say = self.held(heard)
        if self.limit is None or "/manifests/" not in heard.path or say.status != 200:
            return say
        if heard.method == "GET":
            if self.left <= 0:
                return Say(429, {"Retry-After": "21600"}, b"toomanyrequests")
            self.left -= 1
        told = {
            "ratelimit-limit": f"{self.limit};w=21600",
            "ratelimit-remaining": f"{self.left};w=21600",
            "docker-ratelimit-source": "192.0.2.1",
        }
        return replace(say, headers={**say.headers, **told})


@pytest.fixture
def hub(program: Program) -> Iterator[Hub]:
    """What is docker.io for the program."""
    made = Hub(100)
    preview = single("preview")
    made.held.hold("ratelimitpreview/test", preview)
    with made.server:
        (program.folder / "config.toml").write_text(
            f'[registry."docker.io"]\nendpoint = "http://{made.server.address}"\n'
        )
        yield made


_CONFIG = {"REGIMPORT_CONFIG": "config.toml"}


def _image(hub: Hub) -> Image:
    """An index of three platforms: four manifests."""
    image = many_platforms()
    hub.held.hold("library/app", image, "v1")
    return image


def test_what_is_left_is_shown_and_costs_nothing(program: Program, hub: Hub) -> None:
    hub.left = 76
    ended = program("ratelimit", **_CONFIG)
    assert ended.code == 0, ended.err
    assert ended.out == ("docker.io: 76 of 100 pulls left per 6 hours for the address 192.0.2.1\n")
    asked = [f"{heard.method} {heard.path}" for heard in hub.server.heard]
    assert asked == ["HEAD /v2/ratelimitpreview/test/manifests/latest"]


def test_what_is_left_is_shown_to_programs(program: Program, hub: Hub) -> None:
    document = json.loads(program("ratelimit", "-o", "json", "docker.io", **_CONFIG).out)
    assert document == {
        "schema_version": "1",
        "registry": "docker.io",
        "rate_limit": {
            "limit": 100,
            "remaining": 100,
            "window_seconds": 21600,
            "source": "192.0.2.1",
            "source_kind": "address",
        },
    }
    assert "RateLimitDocument" in program("schema", "ratelimit").out


def test_a_registry_that_reports_no_limit_is_shown_so(
    program: Program, hub: Hub, source: DockerRegistry
) -> None:
    hub.limit = None
    assert program("ratelimit", **_CONFIG).out == "docker.io reports no pull limit\n"
    ended = program("ratelimit", source.address)
    assert (ended.code, ended.out) == (0, f"{source.address} reports no pull limit\n")
    assert [f"{one.method} {one.path}" for one in source.requests()] == ["GET /v2/"]


def test_another_image_may_be_asked_about(program: Program, hub: Hub) -> None:
    _image(hub)
    ended = program("ratelimit", "library/app:v1", **_CONFIG)
    assert ended.out.startswith("docker.io: 100 of 100")
    ended = program("ratelimit", "library/none:v1", **_CONFIG)
    assert (ended.code, ended.out) == (5, "")


def test_the_limit_is_that_of_who_asks(program: Program, hub: Hub) -> None:
    hub.held.door = BasicDoor({"carol": "pw"})
    ended = program("ratelimit", **_CONFIG)
    assert ended.code == 4
    ended = program("ratelimit", "--username", "carol", "--password-stdin", stdin="pw\n", **_CONFIG)
    assert ended.code == 0, ended.err


def test_a_copy_tells_what_it_spent_and_what_is_left(
    program: Program, hub: Hub, target: DockerRegistry, repository: str
) -> None:
    """The index, and a manifest for each of its platforms."""
    _image(hub)
    ends = ("docker.io/library/app:v1", f"{target.address}/{repository}")
    ended = program("copy", *ends, **_CONFIG)
    assert ended.code == 0, ended.err
    assert (
        "docker.io: 4 pulls spent; 96 of 100 pulls left per 6 hours for the address 192.0.2.1"
    ) in ended.err
    report = json.loads(program("copy", "-o", "json", *ends, **_CONFIG).out)
    assert report["pulls"] == 0, "all is there already"
    assert report["rate_limit"]["remaining"] == 96


def test_a_copy_from_a_registry_without_a_limit_says_nothing_of_pulls(
    program: Program, hub: Hub, target: DockerRegistry, repository: str
) -> None:
    hub.limit = None
    _image(hub)
    ends = ("docker.io/library/app:v1", f"{target.address}/{repository}")
    ended = program("copy", "-o", "json", *ends, **_CONFIG)
    assert "pulls" not in ended.err
    report = json.loads(ended.out)
    assert (report["pulls"], report["rate_limit"]) == (4, None)


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_copy_that_takes_more_than_is_left_says_so_before_it_starts(
    dry: tuple[str, ...], program: Program, hub: Hub, target: DockerRegistry, repository: str
) -> None:
    _image(hub)
    hub.left = 3
    ended = program(
        "copy",
        *dry,
        "--jobs",
        "1",
        "docker.io/library/app:v1",
        f"{target.address}/{repository}",
        **_CONFIG,
    )
    assert ended.code == 8, ended.err
    first = ended.err.splitlines()[0]
    assert first.startswith(
        "warning: this takes 3 more pulls at docker.io/library/app, but there are 2 of 100"
    )
    assert not any(one.method in {"POST", "PUT"} for one in target.requests())


def test_what_is_just_enough_is_not_warned_of(
    program: Program, hub: Hub, target: DockerRegistry, repository: str
) -> None:
    _image(hub)
    hub.left = 4
    ended = program("copy", "docker.io/library/app:v1", f"{target.address}/{repository}", **_CONFIG)
    assert ended.code == 0, ended.err
    assert "warning" not in ended.err
    assert "4 pulls spent; 0 of 100 pulls left" in ended.err
