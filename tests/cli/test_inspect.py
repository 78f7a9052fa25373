"""`regimport inspect`: a line a platform, counted as a copy counts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from regimport.models.image_config import ImageConfig
from regimport.server.run import serving
from support.client import Client
from support.images import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    FORMS,
    OCI_CONFIG,
    Image,
    helm_chart,
    many_platforms,
    some_bytes,
    with_attestation,
)
from support.program import Program


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "registry").mkdir()
    with serving(tmp_path / "registry") as running:
        yield running.address


def dated(*created: str, config_type: str = OCI_CONFIG, padding: int = 0) -> Image:
    """An index of images that were created then."""
    image = Image()
    children = []
    for number, time in enumerate(created):
        content = {"created": time, "os": "linux", "architecture": f"arch{number}"}
        config = image.blob(json.dumps({**content, "x": "x" * padding}).encode(), config_type)
        layer = image.blob(some_bytes(f"layer {number}", 2000))
        platform = {"os": "linux", "architecture": f"arch{number}"}
        children.append(image.manifest(config, [layer], platform=platform))
    image.index(children)
    return image


def push(registry: str, image: Image) -> str:
    Client(registry).push("app", image, "1")
    return f"{registry}/app:1"


def test_each_platform_is_a_line_with_its_digest_size_and_date(
    program: Program, registry: str
) -> None:
    image = dated("2026-05-04T03:02:01.123456789Z", "2026-05-04T03:02:01+02:00")
    ended = program("inspect", push(registry, image))
    head, first, second, counts, limits = ended.out.splitlines()
    assert head.endswith(f"/app@{image.root}")
    digests = [child["digest"] for child in json.loads(image.raw)["manifests"]]
    for line, digest, name in ((first, digests[0], "arch0"), (second, digests[1], "arch1")):
        assert re.fullmatch(rf"  linux/{name}  {digest}  +2\.\d KiB  2026-05-04 0[31]:02", line)
    assert first.endswith("03:02")
    # Times are in UTC.
    assert second.endswith("01:02")
    assert counts.startswith("3 manifests and 4 blobs, ")
    assert limits == "limits: not exceeded"
    root = json.loads(program("inspect", "-o", "json", f"{registry}/app:1").out)["root"]
    assert [child["created"] for child in root["manifests"]] == [
        "2026-05-04T03:02:01Z",
        "2026-05-04T01:02:01Z",
    ]
    assert root["created"] is None


def test_layers_are_shown_where_they_are_asked_for(program: Program, registry: str) -> None:
    image = FORMS["nested index"]()
    name = push(registry, image)
    assert not any(digest in program("inspect", name).out for digest in image.blobs)
    ended = program("inspect", "--layers", name)
    assert all(digest in ended.out for digest in image.content())


@pytest.mark.parametrize("form", FORMS)
def test_it_counts_as_a_copy_counts(program: Program, registry: str, form: str) -> None:
    name = push(registry, FORMS[form]())
    counted = json.loads(program("inspect", "-o", "json", name).out)
    copied = program("copy", name, f"oci:{program.folder / 'copy'}")
    report = re.search(r"copying (\d+) blobs? \([^)]*\) and (\d+) manifests?", copied.err)
    assert report is not None
    assert (counted["blobs"], counted["manifests"]) == (int(report[1]), int(report[2]))
    text = program("inspect", name).out
    assert re.search(rf"^{report[2]} manifests? and {report[1]} blobs?, ", text, re.MULTILINE)


def test_sizes_are_summed_with_shared_content_counted_once_and_each_time(
    program: Program, registry: str
) -> None:
    image = FORMS["nested index"]()
    document = json.loads(program("inspect", "-o", "json", push(registry, image)).out)
    assert document["unique_bytes"] == sum(map(len, image.content().values()))
    assert document["total_bytes"] > document["unique_bytes"]
    assert document["violations"] == []


def test_limits_that_are_exceeded_are_listed(program: Program, registry: str) -> None:
    name = push(registry, many_platforms())
    ended = program("inspect", name, "--max-manifests", "1", "--max-layer-size", "10")
    assert ended.code == 0
    assert "limits: exceeded" in ended.out
    # The root does not count for the limit.
    assert "  the image has 3 manifests; the limit is 1" in ended.out
    assert "the limit is 10 bytes (--max-layer-size)" in ended.out


def test_an_image_without_an_index_shows_the_platform_of_its_configuration(
    program: Program, registry: str
) -> None:
    image = Image()
    content = {"created": "2026-01-02T03:04:05Z", "os": "linux", "architecture": "amd64"}
    config = image.blob(json.dumps(content).encode(), DOCKER_CONFIG)
    image.manifest(config, [image.blob(b"layer")], DOCKER_MANIFEST)
    line = program("inspect", push(registry, image)).out.splitlines()[1]
    assert line.startswith(f"  linux/amd64  {image.root}")
    assert line.endswith("2026-01-02 03:04")


def test_what_is_for_no_platform_is_named_for_what_it_is(program: Program, registry: str) -> None:
    attested = program("inspect", push(registry, with_attestation())).out
    assert "  attestation-manifest  sha256:" in attested
    assert "no platform" in program("inspect", push(registry, helm_chart())).out


@pytest.mark.parametrize(
    "image",
    [
        dated("yesterday"),
        dated("0001-01-01T00:00:00Z"),
        # An artifact's configuration, and one that is too large to be read for a date.
        dated("2026-01-02T03:04:05Z", config_type="application/vnd.example+json"),
        dated("2026-01-02T03:04:05Z", padding=1024 * 1024),
    ],
    ids=["invalid", "zero", "artifact", "large"],
)
def test_nothing_is_shown_where_there_is_no_date(
    program: Program, registry: str, image: Image
) -> None:
    ended = program("inspect", push(registry, image))
    assert ended.code == 0
    assert "2026" not in ended.out
    assert "KiB\n" in ended.out or "MiB\n" in ended.out


@pytest.mark.parametrize("fault", ["missing", "changed", "longer"])
def test_a_configuration_that_cannot_be_had_costs_only_its_date(
    program: Program, registry: str, fault: str
) -> None:
    image = dated("2026-01-02T03:04:05Z", "2026-02-02T03:04:05Z")
    layout = program.folder / "layout"
    assert program("copy", push(registry, image), f"oci:{layout}").code == 0
    digest = next(name for name, content in image.blobs.items() if b"2026-01-02" in content)
    blob = layout / "blobs" / "sha256" / digest.partition(":")[2]
    content = blob.read_bytes()
    blob.unlink()
    if fault == "changed":
        blob.write_bytes(content.replace(b"2026-01", b"2027-01"))
    elif fault == "longer":
        blob.write_bytes(content + b" " * 100)
    ended = program("inspect", f"oci:{layout}:1")
    assert ended.code == 0, ended
    assert "2026-02-02 03:04" in ended.out
    assert "-01-02" not in ended.out


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"\xff", b'{"created": 5}', b'{"created": "9999-12-31T23:59:59-23:59"}']
)
def test_a_configuration_that_makes_no_sense_says_nothing(raw: bytes) -> None:
    assert ImageConfig.parse(raw) == ImageConfig()


def test_what_the_configuration_says_is_shown_and_cannot_act_on_the_terminal(
    program: Program, registry: str
) -> None:
    image = Image()
    settings = {
        "User": "nobody",
        "WorkingDir": "/srv",
        "StopSignal": "SIGQUIT",
        "Entrypoint": ["/bin/app", "two words"],
        "Cmd": ["--serve"],
        "Env": ["PATH=/bin"],
        "ExposedPorts": {"80/tcp": {}},
        "Volumes": {"/data": {}},
        "Labels": {"title": "an \x1b[31mapp"},
    }
    history = [{"created": "2026-05-04T03:02:01Z", "created_by": "RUN make"}, "odd"]
    content = {"os": "linux", "architecture": "amd64", "config": settings, "history": history}
    config = image.blob(json.dumps(content).encode(), OCI_CONFIG)
    image.manifest(config, [image.blob(some_bytes("layer", 100))])
    name = push(registry, image)
    shown = program("inspect", "--config", name).out
    for line in (
        "user         nobody",
        "directory    /srv",
        "stop signal  SIGQUIT",
        "entry point  /bin/app 'two words'",
        "command      --serve",
        "environment  PATH=/bin",
        "port         80/tcp",
        "volume       /data",
        "history      2026-05-04 03:02  RUN make",
    ):
        assert f"    {line}\n" in shown
    assert "\x1b" not in shown
    assert "PATH" not in program("inspect", name).out
    document = json.loads(program("inspect", "-o", "json", name).out)["root"]["image"]
    assert document["labels"] == {"title": "an \x1b[31mapp"}
    assert document["history"][1]["created_by"] == ""
