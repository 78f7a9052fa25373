"""Mirrors of Docker Hub from the command line, with docker-registry as a pull-through cache."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.client import Client
from support.images import Image, many_platforms, single
from support.program import Ended, Program
from support.registries import DockerRegistry, plain_registry, pull_through_cache

pytestmark = pytest.mark.docker_registry


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[DockerRegistry]:
    """What is docker.io in these tests, by the configuration file."""
    with plain_registry(tmp_path / "hub") as registry:
        (tmp_path / "config.toml").write_text(
            f'[registry."docker.io"]\nendpoint = "http://{registry.address}"\n'
        )
        yield registry


@pytest.fixture
def cache(hub: DockerRegistry, tmp_path: Path) -> Iterator[DockerRegistry]:
    with pull_through_cache(tmp_path / "cache", f"http://{hub.address}") as registry:
        yield registry


def _copy(program: Program, cache: DockerRegistry, target: str) -> Ended:
    return program(
        "copy",
        "--registry-mirror",
        f"http://{cache.address}",
        "docker.io/library/app:v1",
        target,
        REGIMPORT_CONFIG="config.toml",
    )


def _await_kept(cache: DockerRegistry, image: Image) -> None:
    """Return when the cache has all blobs: it keeps them after it has served them."""
    kept = [
        cache.root / "docker/registry/v2/blobs/sha256" / text[:2] / text / "data"
        for text in (digest.partition(":")[2] for digest in image.blobs)
    ]
    for _ in range(400):
        if all(path.exists() for path in kept):
            return
        time.sleep(0.05)
    raise AssertionError("the cache does not keep what it has served")


def test_a_cache_serves_all_but_the_tag(
    program: Program, hub: DockerRegistry, cache: DockerRegistry, target: DockerRegistry
) -> None:
    image = many_platforms()
    Client(hub.address).push("library/app", image, "v1")
    first = _copy(program, cache, f"{target.address}/mirrored/first:v1")
    assert first.code == 0, first.err
    hub.clear()
    second = _copy(program, cache, f"{target.address}/mirrored/second:v1")
    assert second.code == 0, second.err
    assert "warning" not in first.err + second.err
    assert Client(target.address).read_all("mirrored/second", "v1") == image.content()
    asked = [f"{one.method} {one.path}" for one in hub.requests()]
    assert "HEAD /v2/library/app/manifests/v1" in asked
    assert not any("/blobs/" in line and line.startswith("GET") for line in asked)


def test_a_stale_cache_misleads_nobody(
    program: Program, hub: DockerRegistry, cache: DockerRegistry, target: DockerRegistry
) -> None:
    """The cache may serve the tag as it was; the tag is the registry's to say."""
    old, new = single("old"), single("new")
    client = Client(hub.address)
    client.push("library/app", old, "v1")
    assert Client(cache.address).head("library/app", "v1") == old.root
    client.push("library/app", new, "v1")
    ended = _copy(program, cache, f"{target.address}/stale:v1")
    assert ended.code == 0, ended.err
    assert ended.out.strip() == f"{target.address}/stale@{new.root}"


def test_a_cache_that_is_down_is_passed_over(
    program: Program, hub: DockerRegistry, cache: DockerRegistry, target: DockerRegistry
) -> None:
    image = single("down")
    Client(hub.address).push("library/app", image, "v1")
    cache.stop()
    ended = _copy(program, cache, f"{target.address}/down:v1")
    assert ended.code == 0, ended.err
    assert ended.out.strip() == f"{target.address}/down@{image.root}"
    assert f"warning: the mirror {cache.address}/library/app is not used any more" in ended.err


def test_a_registry_that_is_down_is_spoken_for_by_its_cache_with_a_warning(
    program: Program, hub: DockerRegistry, cache: DockerRegistry, target: DockerRegistry
) -> None:
    image = single("orphan")
    Client(hub.address).push("library/app", image, "v1")
    assert Client(cache.address).read_all("library/app", "v1") == image.content()
    _await_kept(cache, image)
    hub.stop()
    ended = _copy(program, cache, f"{target.address}/orphan:v1")
    assert ended.code == 0, ended.err
    assert ended.out.strip() == f"{target.address}/orphan@{image.root}"
    assert f"says that v1 is {image.root}, which may be out of date" in ended.err


def test_a_mirror_of_the_file_is_used_for_any_registry(
    program: Program, hub: DockerRegistry, cache: DockerRegistry, target: DockerRegistry
) -> None:
    image = single("other")
    Client(hub.address).push("team/app", image, "v1")
    (program.folder / "config.toml").write_text(
        f'[registry."registry.example"]\nendpoint = "http://{hub.address}"\n'
        f'mirrors = ["http://{cache.address}"]\n'
    )
    ended = program(
        "copy",
        "registry.example/team/app:v1",
        f"{target.address}/other:v1",
        REGIMPORT_CONFIG="config.toml",
    )
    assert ended.code == 0, ended.err
    assert any(one.method == "GET" for one in cache.requests())
