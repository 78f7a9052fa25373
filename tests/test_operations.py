"""One image to many repositories of one registry, and what that costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

import regimport
from regimport import CopyOptions
from support.client import Client
from support.images import Image, many_platforms, single
from support.miniature import Miniature
from support.registries import DockerRegistry
from support.scripted import Heard, Say, Scripted

COUNT = 20


def blobs_read(heard: list[str]) -> Counter[str]:
    """How often each blob was read, of lines `METHOD PATH`."""
    reads = [line for line in heard if line.startswith("GET ") and "/blobs/sha256" in line]
    return Counter(line.rpartition("/")[2] for line in reads)


def uploads(heard: list[str]) -> Counter[str]:
    """How often each blob was sent."""
    puts = [line for line in heard if line.startswith("PUT ") and "digest=" in line]
    return Counter(line.partition("digest=")[2].replace("%3A", ":") for line in puts)


def lines(server: Scripted) -> list[str]:
    return [f"{heard.method} {heard.path}" for heard in server.heard]


@pytest.mark.docker_registry
def test_twenty_repositories_of_a_real_registry_are_sent_each_blob_once(
    source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = many_platforms(repository, platforms=3)
    Client(source.address).push(repository, image, "1")
    source.clear()
    names = [f"{repository}/{number}" for number in range(COUNT)]
    report = regimport.copy(
        f"{source.address}/{repository}:1", [f"{target.address}/{name}" for name in names]
    )
    assert report.exit_code == 0, report
    once = dict.fromkeys(image.blobs, 1)
    assert blobs_read([f"{one.method} {one.path}" for one in source.requests()]) == once
    assert uploads([f"{one.method} {one.path}" for one in target.requests()]) == once
    assert report.bytes_read == sum(map(len, image.blobs.values()))
    assert report.tally.blobs_copied == len(image.blobs)
    assert report.tally.blobs_mounted == (COUNT - 1) * len(image.blobs)
    client = Client(target.address)
    assert [client.head(name, "1") for name in names] == [image.root] * COUNT
    assert client.read_all(names[-1], "1") == image.content()


def holding(image: Image) -> Miniature:
    registry = Miniature()
    registry.hold("app", image)
    return registry


def test_twenty_repositories_are_planned_as_they_are_copied() -> None:
    image, held = many_platforms(), Miniature()
    with Scripted(holding(image)) as source, Scripted(held) as target:
        planned, done = (
            regimport.copy(
                f"{source.address}/app",
                [f"{target.address}/r{number}" for number in range(COUNT)],
                options=CopyOptions(dry_run=dry_run),
            )
            for dry_run in (True, False)
        )
    assert replace(planned.tally, blobs_present=0) == replace(done.tally, blobs_present=0)
    assert done.tally.blobs_copied == len(image.blobs)
    assert all(held.holds(f"r{number}", image) for number in range(COUNT))


def test_a_repository_that_has_the_blobs_lends_them_to_the_others() -> None:
    image, held = single(), Miniature()
    held.hold("r1", image)
    # Another image by its manifest, so that its blobs are asked for.
    held.manifests["r1"] = {"latest": (image.media_type, image.raw + b"\n")}
    with Scripted(holding(image)) as source, Scripted(held) as target:
        targets = [f"{target.address}/r{number}" for number in range(3)]
        report = regimport.copy(f"{source.address}/app", targets)
        assert not blobs_read(lines(source))
    assert report.tally.blobs_mounted == 2 * len(image.blobs)
    assert held.blobs["r0"] == held.blobs["r2"] == image.blobs


def test_a_repository_that_has_the_image_lends_its_blobs_to_the_others() -> None:
    image, held = single(), Miniature()
    held.hold("r1", image)
    with Scripted(holding(image)) as source, Scripted(held) as target:
        targets = [f"{target.address}/r{number}" for number in range(3)]
        report = regimport.copy(f"{source.address}/app", targets)
        assert not blobs_read(lines(source))
    assert report.tally.blobs_mounted == 2 * len(image.blobs)
    assert all(held.holds(f"r{number}", image) for number in range(3))


def test_a_registry_that_mounts_nothing_is_sent_all_but_one_small_blob_from_one_reading() -> None:
    image, held = many_platforms(), NoMounts()
    with Scripted(holding(image)) as source, Scripted(held) as target:
        targets = [f"{target.address}/r{number}" for number in range(5)]
        report = regimport.copy(f"{source.address}/app", targets)
        read = blobs_read(lines(source))
    assert all(held.holds(f"r{number}", image) for number in range(5))
    assert sum(read.values()) == len(image.blobs) + 1
    (twice,) = (digest for digest, count in read.items() if count == 2)
    assert len(image.blobs[twice]) == min(map(len, image.blobs.values()))
    assert report.tally.blobs_copied == 5 * len(image.blobs)


def test_several_registries_are_sent_a_blob_from_one_reading() -> None:
    image, helds = many_platforms(), [Miniature(), Miniature()]
    with Scripted(holding(image)) as source, Scripted(helds[0]) as b, Scripted(helds[1]) as c:
        targets = [f"{b.address}/x", f"{c.address}/x", f"{c.address}/y"]
        report = regimport.copy(f"{source.address}/app", targets)
        assert blobs_read(lines(source)) == dict.fromkeys(image.blobs, 1)
        assert uploads(lines(b)) == uploads(lines(c)) == dict.fromkeys(image.blobs, 1)
    assert report.exit_code == 0
    assert all(held.holds("x", image) for held in helds)


class NoMounts(Miniature):
    """A registry that starts an upload where it is asked to mount."""

    def upload(self, heard: Heard, repository: str, query: Mapping[str, str]) -> Say:
        kept = {name: value for name, value in query.items() if name not in {"mount", "from"}}
        return super().upload(heard, repository, kept)
