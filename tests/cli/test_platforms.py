"""`--platform`: one manifest of an index, as it is; and what there is where nothing matches."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from faults.actions import Changed, flipped
from faults.proxy import ALWAYS, Fault, FaultyRegistry
from regimport.server.run import serving
from support.client import Client
from support.images import (
    FORMS,
    OCI_CONFIG,
    Image,
    as_buildx,
    helm_chart,
    some_bytes,
    with_attestation,
)
from support.program import Program


def leaf(image: Image, platform: dict[str, str]) -> dict[str, object]:
    """One image, whose configuration says for which platform it is, as images that are built do."""
    config = image.blob(json.dumps(platform).encode(), OCI_CONFIG)
    return image.manifest(
        config, [image.blob(some_bytes(str(platform), 500))], platform=dict(platform)
    )


def platform_of(text: str) -> dict[str, str]:
    names = ("os", "architecture", "variant")
    return dict(zip(names, text.split("/"), strict=False))


def index_of(*platforms: str) -> Image:
    image = Image()
    image.index([leaf(image, platform_of(one)) for one in platforms])
    return image


ARMS = index_of("linux/amd64", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8")


def under(image: Image, platform: str) -> tuple[str, dict[str, bytes]]:
    """The digest of the manifest for a platform, and all bytes that belong to it."""
    (found,) = (
        one["digest"]
        for one in json.loads(image.raw)["manifests"]
        if one.get("platform") == platform_of(platform)
    )
    raw = image.manifests[found][1]
    parts = json.loads(raw)
    blobs = [parts["config"], *parts["layers"]]
    return found, {found: raw} | {one["digest"]: image.blobs[one["digest"]] for one in blobs}


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


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/arm64", "linux/arm64/v8"),
        ("linux/arm64/v8", "linux/arm64/v8"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("linux/arm", "linux/arm/v7"),
    ],
)
def test_the_manifest_of_one_platform_is_what_the_tag_points_to(
    program: Program, stage: Stage, wanted: str, meant: str
) -> None:
    digest, content = under(ARMS, meant)
    names = (stage.push(ARMS), f"{stage.target}/app")
    ended = program("copy", "--platform", wanted, *names)
    assert (ended.code, ended.out) == (0, f"{stage.target}/app@{digest}\n"), ended
    assert Client(stage.target).read_all("app", "1") == content
    again = program("copy", "--platform", wanted, *names)
    assert "already there" in again.err


def test_what_was_copied_for_one_platform_can_be_verified_and_named(
    program: Program, stage: Stage
) -> None:
    digest, content = under(ARMS, "linux/arm64/v8")
    arm = ("--platform", "linux/arm64")
    names = (stage.push(ARMS), f"{stage.target}/app")
    assert program("copy", "--verify", *arm, *names).code == 0
    assert program("verify", *arm, *names).code == 0
    assert program("verify", *names).code == 7
    assert program("digest", *arm, names[0]).out == f"{digest}\n"
    raw = program("inspect", "--raw", *arm, names[0]).out
    assert raw.encode() == content[digest]


def test_a_platform_in_an_index_in_an_index_is_found(program: Program, stage: Stage) -> None:
    image = Image()
    inner = image.index([leaf(image, platform_of("linux/arm64"))])
    image.index([leaf(image, platform_of("linux/amd64")), inner])
    ended = program("copy", "--platform", "linux/arm64", stage.push(image), f"{stage.target}/app")
    assert ended.code == 0, ended
    assert len(Client(stage.target).read_all("app", "1")) == 3


@pytest.mark.parametrize("command", ["copy", "inspect", "digest"])
def test_a_platform_that_is_not_there_ends_with_what_there_is(
    program: Program, stage: Stage, command: str
) -> None:
    targets = [f"{stage.target}/app"] if command == "copy" else []
    ended = program(command, "--platform", "linux/s390x", stage.push(ARMS), *targets)
    assert ended.code == 5, ended
    assert "nothing for linux/s390x" in ended.err
    assert "linux/amd64, linux/arm/v6, linux/arm/v7, linux/arm64/v8" in ended.err
    assert Client(stage.target).head("app", "1") is None


def test_an_attestation_is_for_no_platform(program: Program, stage: Stage) -> None:
    name = stage.push(with_attestation())
    ended = program("copy", "--platform", "linux/arm64", name, f"{stage.target}/app")
    assert ended.code == 5
    assert "there is linux/amd64\n" in ended.err


def test_several_platforms_are_a_new_index_and_what_stays_behind_is_said(
    program: Program, stage: Stage
) -> None:
    image = as_buildx()
    names = (stage.push(image), f"{stage.target}/app")
    two = ("--platform", "linux/amd64,linux/arm64")
    planned = program("copy", "--dry-run", *two, *names)
    index, end = json.JSONDecoder().raw_decode(planned.out)
    assert len(index["manifests"]) == 4
    new = "sha256:" + hashlib.sha256(planned.out[:end].encode()).hexdigest()
    ended = program("copy", "--platform", "linux/amd64", "--platform", "linux/arm64", *names)
    assert (ended.code, ended.out) == (0, f"{stage.target}/app@{new}\n"), ended
    assert f"new index of linux/amd64, linux/arm64: {new}" in ended.err
    assert f"signatures and referrers of the old one, {image.root}, do not cover it" in ended.err
    assert program("verify", *two, *names).code == 0
    assert program("digest", *two, names[0]).out == f"{new}\n"
    twice = ("--platform", "linux/arm64", "--platform", "linux/aarch64")
    ended = program("copy", "--no-cache", *twice, *names)
    assert ended.out == f"{stage.target}/app@{entries(image)[1]['digest']}\n", "the same, twice"
    alone = program("copy", "--as-index", "--no-attestations", "-o", "json", *twice, *names)
    document = json.loads(alone.out)["subset"]
    assert document["attestations"] is False
    assert document["platforms"] == ["linux/arm64"]


def entries(image: Image) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(image.raw)["manifests"]
    return found


def test_several_manifests_for_one_platform_are_listed(program: Program, stage: Stage) -> None:
    image = Image()
    windows = [
        {"os": "windows", "architecture": "amd64", "os.version": f"10.0.{n}"} for n in (1, 2)
    ]
    image.index([leaf(image, one) for one in windows])
    ended = program("copy", "--platform", "windows/amd64", stage.push(image), f"{stage.target}/app")
    assert ended.code == 2
    assert "windows/amd64:10.0.1" in ended.err
    assert "windows/amd64:10.0.2" in ended.err


def windows(*versions: str) -> Image:
    image = Image()
    image.index(
        [
            leaf(image, {"os": "windows", "architecture": "amd64", "os.version": version})
            for version in versions
        ]
    )
    return image


def test_a_version_of_windows_is_named_after_a_colon_by_its_first_components(
    program: Program, stage: Stage
) -> None:
    image = windows("10.0.17763.5206", "10.0.20348.1", "10.0.20348.2227", "10.0.203.1")
    name = stage.push(image)
    listed = json.loads(image.raw)["manifests"]
    digests = {child["platform"]["os.version"]: child["digest"] for child in listed}
    for written, meant in (
        ("10.0.20348.1", "10.0.20348.1"),
        ("10.0.17763", "10.0.17763.5206"),
        ("10.0.203", "10.0.203.1"),
    ):
        ended = program("digest", "--platform", f"windows/amd64:{written}", name)
        assert (ended.code, ended.out) == (0, f"{digests[meant]}\n"), ended
    several = program("digest", "--platform", "windows/amd64:10.0.20348", name)
    assert several.code == 2
    assert "write one of windows/amd64:10.0.20348.1, windows/amd64:10.0.20348.2227" in several.err
    none = program("digest", "--platform", "windows/amd64:10.0.9", name)
    assert none.code == 5
    assert "there is windows/amd64:10.0.17763.5206, windows/amd64:10.0.203.1" in none.err


@pytest.mark.parametrize(
    ("there", "wanted", "meant"),
    [
        (("linux/amd64/v3", "linux/amd64"), "linux/amd64", "linux/amd64"),
        (("linux/amd64", "linux/amd64/v3"), "linux/amd64/v3", "linux/amd64/v3"),
        (("linux/amd64/v2", "linux/amd64/v1"), "linux/amd64", "linux/amd64/v1"),
        (("linux/arm64/v8", "linux/arm64"), "linux/arm64", "linux/arm64"),
        (("linux/arm64", "linux/arm64/v8"), "linux/arm64/v8", "linux/arm64/v8"),
        (("linux/riscv64", "linux/riscv64/rva23"), "linux/riscv64", "linux/riscv64"),
    ],
)
def test_without_a_variant_the_entry_without_one_is_meant(
    program: Program, stage: Stage, there: tuple[str, ...], wanted: str, meant: str
) -> None:
    image = index_of(*there)
    ended = program("digest", "--platform", wanted, stage.push(image))
    assert (ended.code, ended.out) == (0, f"{under(image, meant)[0]}\n"), ended


def test_variants_of_which_none_is_usual_are_listed_as_they_can_be_written(
    program: Program, stage: Stage
) -> None:
    name = stage.push(index_of("linux/amd64/v2", "linux/amd64/v3"))
    ended = program("copy", "--platform", "linux/amd64", name, f"{stage.target}/app")
    assert ended.code == 2
    assert "write one of linux/amd64/v2, linux/amd64/v3" in ended.err


def alone(platform: str) -> Image:
    image = Image()
    leaf(image, platform_of(platform))
    return image


def test_an_image_without_an_index_must_be_for_the_platform(program: Program, stage: Stage) -> None:
    names = (stage.push(alone("linux/arm64")), f"{stage.target}/app")
    wrong = program("copy", "--platform", "linux/amd64", *names)
    assert wrong.code == 5
    assert "there is linux/arm64\n" in wrong.err
    assert program("inspect", "--platform", "linux/amd64", names[0]).code == 5
    assert program("inspect", "--platform", "linux/arm64", names[0]).code == 0
    assert program("copy", "--platform", "linux/arm64", *names).code == 0


def test_what_is_no_image_has_no_platform(program: Program, stage: Stage) -> None:
    name = stage.push(helm_chart())
    ended = program("copy", "--platform", "linux/amd64", name, f"{stage.target}/app")
    assert ended.code == 5
    assert "no platform at all" in ended.err


def test_a_configuration_that_is_not_what_its_digest_says_is_not_believed(
    program: Program, stage: Stage
) -> None:
    stage.push(alone("linux/arm64"))
    lie = Fault("GET blob", Changed(body=flipped(3)), ALWAYS)
    with FaultyRegistry(stage.source, [lie]) as source:
        name = f"{source.address}/app:1"
        ended = program("copy", "--platform", "linux/arm64", name, f"{stage.target}/app")
    assert ended.code == 7, ended


def test_the_limits_are_those_of_what_is_copied(program: Program, stage: Stage) -> None:
    names = (stage.push(ARMS), f"{stage.target}/app")
    tight = ("--max-manifests", "3")
    assert program("copy", *tight, *names).code == 3
    assert program("copy", *tight, "--platform", "linux/amd64", *names).code == 0


def test_inspect_shows_only_the_platforms_that_are_wanted(program: Program, stage: Stage) -> None:
    name = stage.push(ARMS)
    two = ("--platform", "linux/amd64", "--platform", "linux/arm/v6")
    document = json.loads(program("inspect", "-o", "json", *two, name).out)
    shown = [one["platform"] for one in document["root"]["manifests"]]
    assert shown == ["linux/amd64", "linux/arm/v6"]
    # The index is one of them.
    assert document["manifests"] == 3
    assert document["root"]["digest"] == ARMS.root
    nested = stage.push(FORMS["nested index"]())
    inner = json.loads(program("inspect", "-o", "json", "--platform", "linux/arch0", nested).out)
    (index,) = inner["root"]["manifests"]
    assert [one["platform"] for one in index["manifests"]] == ["linux/arch0"]


def test_what_is_no_platform_is_wrong_usage(program: Program) -> None:
    ended = program("copy", "--platform", "arm64", "a", "b")
    assert ended.code == 2
    assert "os/architecture" in ended.err
