"""Manifests as Go programs write them: nulls, sizes that were never set, and two media types."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from faults.actions import Changed, Status
from faults.proxy import ALWAYS, Fault, FaultyRegistry
from regimport.server.run import serving
from support.client import Client
from support.images import DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Image, some_bytes
from support.program import Program

SIZE = 300_000


@dataclass
class Stage:
    source: str
    target: str

    def push(self, image: Image) -> str:
        Client(self.source).push("app", image, "1")
        return f"{self.source}/app:1"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with serving(tmp_path / "source") as source, serving(tmp_path / "target") as target:
        yield Stage(source.address, target.address)


def changed(change: Callable[[dict[str, Any]], object]) -> Image:
    """An index of an image, all of whose descriptors are changed."""
    image = Image()
    config = image.blob(b'{"os":"linux","architecture":"arm64"}', OCI_CONFIG)
    layer = image.blob(some_bytes("odd", SIZE))
    for descriptor in (config, layer):
        change(descriptor)
    raw = {"schemaVersion": 2, "config": config, "layers": [layer], "manifests": None}
    child = image.put(
        OCI_MANIFEST,
        json.dumps(raw).encode(),
        platform={"os": "linux", "architecture": "arm64"},
    )
    change(child)
    index = {"schemaVersion": 2, "manifests": [child], "layers": None, "config": None}
    image.put(OCI_INDEX, json.dumps(index).encode())
    return image


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "nothing": lambda _: None,
    "no size": lambda descriptor: descriptor.pop("size"),
    "size null": lambda descriptor: descriptor.update(size=None),
    "size 0": lambda descriptor: descriptor.update(size=0),
    "size -1": lambda descriptor: descriptor.update(size=-1),
    "no media type": lambda descriptor: descriptor.pop("mediaType"),
    "neither": lambda descriptor: (descriptor.pop("mediaType"), descriptor.pop("size")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_what_go_has_not_set_is_unknown_and_the_image_is_copied_byte_for_byte(
    program: Program, stage: Stage, change: Callable[[dict[str, Any]], object]
) -> None:
    image = changed(change)
    ended = program("copy", "--verify", stage.push(image), f"{stage.target}/app")
    assert ended.code == 0, ended
    assert Client(stage.target).read_all("app", "1") == image.content()


def test_such_an_image_goes_through_a_layout_and_every_command(
    program: Program, stage: Stage
) -> None:
    image = changed(CHANGES["neither"])
    names = (stage.push(image), f"{stage.target}/app")
    layout = f"oci:{program.folder / 'layout'}"
    assert program("copy", names[0], layout).code == 0
    again = program("copy", f"{layout}:1", names[1])
    assert again.code == 0, again
    assert Client(stage.target).read_all("app", "1") == image.content()
    assert program("verify", *names).code == 0
    inspected = json.loads(program("inspect", "-o", "json", names[0]).out)
    assert inspected["total_bytes"] == sum(map(len, image.content().values()))
    alone = program("digest", "--platform", "linux/arm64", names[0])
    assert alone.out == f"{next(iter(image.manifests))}\n", alone


NOT_SAID = [
    Fault("HEAD blob", Status(405), ALWAYS),
    Fault("HEAD blob", Status(200, {"Content-Length": "0"}), ALWAYS),
]


@pytest.mark.parametrize("fault", NOT_SAID, ids=["405", "length 0"])
def test_a_size_that_the_source_does_not_say_either_is_counted(
    program: Program, stage: Stage, fault: Fault
) -> None:
    image = changed(CHANGES["no size"])
    stage.push(image)
    with FaultyRegistry(stage.source, [fault]) as source:
        ended = program("copy", f"{source.address}/app:1", f"{stage.target}/app")
    assert ended.code == 0, ended
    assert Client(stage.target).read_all("app", "1") == image.content()


@pytest.mark.parametrize("faults", [[], NOT_SAID[:1]], ids=["stated", "counted"])
def test_the_limit_holds_for_a_layer_of_unknown_size(
    program: Program, stage: Stage, faults: list[Fault]
) -> None:
    stage.push(changed(CHANGES["size 0"]))
    with FaultyRegistry(stage.source, faults) as source:
        name = f"{source.address}/app:1"
        ended = program("copy", "--max-layer-size", "200000", name, f"{stage.target}/app")
        assert ended.code == 3, ended
        limit = str(SIZE)
        assert program("copy", "--max-layer-size", limit, name, f"{stage.target}/app").code == 0


@pytest.mark.parametrize("size", [1, SIZE + 1])
def test_a_size_that_is_wrong_and_not_0_is_refused(
    program: Program, stage: Stage, size: int
) -> None:
    image = changed(lambda descriptor: descriptor.update(size=size))
    ended = program("copy", stage.push(image), f"{stage.target}/app")
    assert ended.code == 7, ended


def docker_image_in_an_oci_index() -> Image:
    """An index whose children say that they are Docker's, and whose descriptors say OCI's."""
    image = Image()
    children = []
    for number in range(2):
        config = image.blob(json.dumps({"n": number}).encode(), OCI_CONFIG)
        layer = image.blob(some_bytes(str(number), 500))
        child = image.manifest(config, [layer], DOCKER_MANIFEST)
        children.append(child | {"mediaType": OCI_MANIFEST})
    image.index(children)
    return image


def test_two_types_of_one_kind_are_copied_as_the_body_says_with_one_warning(
    program: Program, stage: Stage
) -> None:
    image = docker_image_in_an_oci_index()
    stage.push(image)
    lie = Changed(headers={"Content-Type": OCI_MANIFEST})
    children = list(image.manifests)[:-1]
    faults = [Fault("* manifest", lie, ALWAYS, digest) for digest in children]
    with FaultyRegistry(stage.source, faults) as source, FaultyRegistry(stage.target) as target:
        name = f"{source.address}/app:1"
        ended = program("copy", name, f"{target.address}/app")
        assert ended.code == 0, ended
        assert ended.err.count("warning:") == 1
        assert f"manifests of type {DOCKER_MANIFEST} as {OCI_MANIFEST}" in ended.err
        put = {asked.headers["content-type"] for asked in target.log if asked.method == "PUT"}
    assert DOCKER_MANIFEST in put
    assert OCI_MANIFEST not in put
    assert Client(stage.target).read_all("app", "1") == image.content()


@pytest.mark.parametrize("served", [OCI_INDEX])
def test_an_image_served_as_an_index_is_refused(
    program: Program, stage: Stage, served: str
) -> None:
    image = docker_image_in_an_oci_index()
    stage.push(image)
    child = next(iter(image.manifests))
    fault = Fault("* manifest", Changed(headers={"Content-Type": served}), ALWAYS, child)
    with FaultyRegistry(stage.source, [fault]) as source:
        ended = program("copy", f"{source.address}/app:1", f"{stage.target}/app")
    assert ended.code == 1, ended
    assert "served as" in ended.err
