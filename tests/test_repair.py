"""`repair`: whatever a target lacks of an image under a tag that is there is found and sent."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archive.tars import tar_of
from regimport import (
    ContentMismatch,
    CopyOptions,
    RegimportError,
    Report,
    RetryPolicy,
    Status,
    TagExists,
    copy,
    copy_tags,
    verify,
)
from regimport.server.run import serving
from support.client import Client
from support.images import Image, as_buildx, nested
from support.miniature import complaint
from support.registries import DockerRegistry
from support.scripted import Heard, Say
from support.stage import Stage, on_stage

QUICK = RetryPolicy(attempts=2, first_delay=0)
REPAIR = CopyOptions(repair=True, retry=QUICK)
IMAGE = as_buildx()
CHILD, BLOB = next(iter(IMAGE.manifests)), next(iter(IMAGE.blobs))


@pytest.fixture
def stage() -> Iterator[Stage]:
    with on_stage() as made:
        yield made


def put_in_place(stage: Stage, image: Image = IMAGE) -> str:
    """Copy the image, and forget what was asked."""
    name = stage.hold(image)
    copy(name, stage.target.name)
    stage.forget()
    return name


def lose_blob(stage: Stage) -> None:
    del stage.target.registry.blobs["app"][BLOB]


def cut_blob(stage: Stage) -> None:
    stage.target.registry.blobs["app"][BLOB] = b"cut"


def lose_child(stage: Stage) -> None:
    del stage.target.registry.manifests["app"][CHILD]


def change_child(stage: Stage) -> None:
    kind, raw = IMAGE.manifests[CHILD]
    stage.target.registry.manifests["app"][CHILD] = (kind, raw.replace(b"sha256", b"sha255"))


def lose_root(stage: Stage) -> None:
    del stage.target.registry.manifests["app"][IMAGE.root]


def lose_tag_and_child(stage: Stage) -> None:
    del stage.target.registry.manifests["app"]["1"]
    lose_child(stage)


def lose_tag_and_blob(stage: Stage) -> None:
    del stage.target.registry.manifests["app"]["1"]
    lose_blob(stage)


def lose_all(stage: Stage) -> None:
    stage.target.registry.manifests.clear()
    stage.target.registry.blobs.clear()


HARM: tuple[Callable[[Stage], None], ...] = (
    lose_blob,
    cut_blob,
    lose_child,
    change_child,
    lose_root,
    lose_tag_and_child,
    lose_tag_and_blob,
    lose_all,
)


@pytest.mark.parametrize("harm", HARM)
def test_what_is_missing_or_wrong_is_sent(stage: Stage, harm: Callable[[Stage], None]) -> None:
    name = put_in_place(stage)
    harm(stage)
    report = copy(name, stage.target.name, options=REPAIR)
    assert stage.target.registry.holds("app", IMAGE, "1")
    assert (report.targets[0].status, report.targets[0].examined) == (Status.COPIED, True)
    assert report.tally.manifests_copied + report.tally.blobs_copied > 0
    assert report.targets[0].confirmed


@pytest.mark.parametrize("harm", [lose_blob, lose_child, change_child])
def test_without_it_a_tag_that_is_there_is_taken_for_the_image(
    stage: Stage, harm: Callable[[Stage], None]
) -> None:
    name = put_in_place(stage)
    harm(stage)
    assert copy(name, stage.target.name).targets[0].status is Status.PRESENT
    assert not stage.target.registry.holds("app", IMAGE, "1")


@pytest.mark.parametrize("cache", [True, False])
def test_where_all_is_well_the_source_is_asked_once_and_nothing_is_sent(
    stage: Stage, cache: bool
) -> None:
    name = put_in_place(stage)
    report = copy(name, stage.target.name, options=CopyOptions(repair=True, cache=cache))
    assert (report.targets[0].status, report.pulls) == (Status.PRESENT, 0)
    assert stage.source.asked() == {"HEAD manifest": 1}
    assert stage.target.asked() == {
        "HEAD manifest": 1,
        "GET manifest": len(IMAGE.manifests),
        "HEAD blob": len(IMAGE.blobs),
    }


def test_only_what_is_missing_is_read_from_the_source(stage: Stage) -> None:
    name = put_in_place(stage)
    lose_blob(stage)
    lose_child(stage)
    report = copy(name, stage.target.name, options=CopyOptions(repair=True, cache=False))
    assert stage.source.asked() == {"HEAD manifest": 1, "GET manifest": 1, "GET blob": 1}
    tally = report.tally
    assert (tally.manifests_copied, tally.blobs_copied) == (1, 1)
    assert tally.bytes_copied == len(IMAGE.blobs[BLOB])


def test_manifests_of_nested_indexes_are_found_missing(stage: Stage) -> None:
    image = nested()
    name = put_in_place(stage, image)
    del stage.target.registry.manifests["app"][next(iter(image.manifests))]
    copy(name, stage.target.name, options=REPAIR)
    assert stage.target.registry.holds("app", image, "1")


def test_a_dry_run_tells_what_would_be_sent(stage: Stage) -> None:
    name = put_in_place(stage)
    lose_blob(stage)
    report = copy(name, stage.target.name, options=CopyOptions(repair=True, dry_run=True))
    assert report.targets[0].status is Status.PLANNED
    assert (report.tally.blobs_copied, report.tally.manifests_copied) == (1, 0)
    assert BLOB not in stage.target.registry.blobs["app"]


def test_with_no_clobber_another_image_is_left_alone_and_this_one_repaired(stage: Stage) -> None:
    name = put_in_place(stage)
    stage.target.registry.hold("app", as_buildx("other"), "other")
    lose_blob(stage)
    options = CopyOptions(repair=True, no_clobber=True)
    there, other = stage.target.name, f"{stage.target.name}:other"
    report = copy(name, there, other, options=options, check=False)
    assert [target.status for target in report.targets] == [Status.COPIED, Status.FAILED]
    assert isinstance(report.targets[1].error, TagExists)
    assert stage.target.registry.holds("app", IMAGE, "1")


def test_every_repository_and_tag_is_repaired(stage: Stage) -> None:
    name = stage.hold(IMAGE)
    targets = [stage.target.name, f"{stage.target.name}:2", f"{stage.target.server.address}/b:1"]
    copy(name, *targets)
    lose_blob(stage)
    del stage.target.registry.manifests["b"][CHILD]
    report = copy(name, *targets, options=REPAIR)
    assert [target.status for target in report.targets] == [Status.COPIED] * 3
    assert stage.target.registry.holds("app", IMAGE, "2")
    assert stage.target.registry.holds("b", IMAGE, "1")


def test_all_tags_and_a_part_of_an_image_are_repaired(stage: Stage) -> None:
    name = put_in_place(stage)
    stage.hold(as_buildx("other"), "2")
    lose_blob(stage)
    many = copy_tags(name.rpartition(":")[0], stage.target.name, options=REPAIR)
    assert many.exit_code == 0
    assert stage.target.registry.holds("app", IMAGE, "1")
    part = CopyOptions(repair=True, platforms=("linux/amd64", "linux/arm64"))  # type: ignore[arg-type]
    first = copy(name, f"{stage.target.name}:part", options=part)
    lose_blob(stage)
    again = copy(name, f"{stage.target.name}:part", options=part)
    assert (again.targets[0].status, again.root) == (Status.COPIED, first.root)
    assert stage.target.registry.blobs["app"][BLOB] == IMAGE.blobs[BLOB]


@pytest.mark.parametrize("status", [403, 500])
@pytest.mark.parametrize("kind", ["blobs", "manifests"])
def test_what_a_target_does_not_tell_is_never_taken_for_whole(
    stage: Stage, kind: str, status: int
) -> None:
    name = put_in_place(stage)
    silent = BLOB if kind == "blobs" else CHILD

    def refusing(heard: Heard) -> Say | None:
        asked = heard.method in {"HEAD", "GET"} and heard.path.endswith(f"/{kind}/{silent}")
        return complaint(status, "DENIED") if asked else None

    stage.target.registry.door = refusing
    with pytest.raises(RegimportError):
        copy(name, stage.target.name, options=REPAIR)


@pytest.mark.parametrize("what", ["blob", "manifest"])
def test_a_registry_that_keeps_its_wrong_bytes_is_told_of(stage: Stage, what: str) -> None:
    name = put_in_place(stage)
    (cut_blob if what == "blob" else change_child)(stage)
    registry = stage.target.registry
    blobs, manifests = dict(registry.blobs["app"]), dict(registry.manifests["app"])

    def keeping(_: Heard) -> Say | None:
        registry.blobs["app"], registry.manifests["app"] = dict(blobs), dict(manifests)
        return None

    stage.target.registry.door = keeping
    with pytest.raises(ContentMismatch, match=f"has taken {what} .* does not show it whole"):
        copy(name, stage.target.name, options=REPAIR)


@pytest.mark.docker_registry
def test_docker_registry_gets_back_what_was_deleted_from_its_disk(
    source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = as_buildx(repository)
    Client(source.address).push(repository, image, "1")
    ends = [f"{end.address}/{repository}:1" for end in (source, target)]
    copy(*ends)
    storage = target.root / "docker/registry/v2"
    blob, child = (next(iter(found)).split(":")[1] for found in (image.blobs, image.manifests))
    (storage / "blobs/sha256" / blob[:2] / blob / "data").unlink()
    links = storage / "repositories" / repository / "_manifests/revisions/sha256"
    (links / child / "link").unlink()
    assert copy(*ends).targets[0].status is Status.PRESENT
    report = copy(*ends, options=REPAIR)
    assert (report.tally.blobs_copied, report.tally.manifests_copied) == (1, 1)
    assert verify(*ends, target_only=True).exit_code == 0
    assert copy(*ends, options=REPAIR).targets[0].status is Status.PRESENT


@pytest.mark.docker_registry
def test_docker_registry_keeps_a_blob_that_was_cut_and_that_is_said(
    source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = as_buildx(repository)
    Client(source.address).push(repository, image, "1")
    ends = [f"{end.address}/{repository}:1" for end in (source, target)]
    copy(*ends)
    blob = next(iter(image.blobs)).split(":")[1]
    (target.root / "docker/registry/v2/blobs/sha256" / blob[:2] / blob / "data").write_bytes(b"x")
    with pytest.raises(ContentMismatch, match="does not show it whole") as caught:
        copy(*ends, options=REPAIR)
    assert "delete the image there" in (caught.value.hint or "")


def harmed(path: Path, digest: str, content: bytes | None) -> None:
    found = path / "blobs/sha256" / digest.split(":")[1]
    found.unlink()
    if content is not None:
        found.write_bytes(content)


CONTENTS = {"missing": None, "truncated": b"x", "other bytes": b"y" * len(IMAGE.blobs[BLOB])}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_the_embedded_registry_and_layouts_are_repaired(
    stage: Stage, tmp_path: Path, content: bytes | None
) -> None:
    name, folder = stage.hold(IMAGE), tmp_path / "layout"
    copy(name, f"oci:{folder}:1")
    harmed(folder, BLOB, content)
    report = copy(name, f"oci:{folder}:1", options=REPAIR)
    assert (report.tally.blobs_copied, report.tally.manifests_copied) == (1, 0)
    assert verify(name, f"oci:{folder}:1", target_only=True).exit_code == 0
    if content is None or content == b"x":
        with serving(tmp_path / "served") as server:
            copy(name, f"{server.address}/app:1")
            (repository,) = (path.parent for path in (tmp_path / "served").rglob("blobs"))
            harmed(repository, BLOB, content)
            copy(name, f"{server.address}/app:1", options=REPAIR)
            assert verify(name, f"{server.address}/app:1", target_only=True).exit_code == 0


@pytest.mark.parametrize("digest", [CHILD, IMAGE.root], ids=["child", "root"])
@pytest.mark.parametrize("content", [None, b"{}"], ids=["missing", "wrong"])
def test_manifests_of_a_layout_are_repaired(
    stage: Stage, tmp_path: Path, digest: str, content: bytes | None
) -> None:
    name, folder = stage.hold(IMAGE), tmp_path / "layout"
    copy(name, f"oci:{folder}:1")
    harmed(folder, digest, content)
    copy(name, f"oci:{folder}:1", options=REPAIR)
    assert verify(name, f"oci:{folder}:1", target_only=True).exit_code == 0
    assert len(json.loads((folder / "index.json").read_bytes())["manifests"]) == 1


@pytest.mark.parametrize("digest", [BLOB, CHILD, IMAGE.root], ids=["blob", "child", "root"])
@pytest.mark.parametrize("how", ["missing", "other bytes"])
def test_archives_are_repaired(stage: Stage, tmp_path: Path, digest: str, how: str) -> None:
    name, path = stage.hold(IMAGE), tmp_path / "x.tar"
    copy(name, f"oci-archive:{path}:1")
    files: dict[str, bytes | tarfile.TarInfo] = {}
    with tarfile.open(path) as tar:
        for member in tar.getmembers():
            found = tar.extractfile(member)
            if found is not None:
                files[member.name] = found.read()
    changed = f"blobs/sha256/{digest.split(':')[1]}"
    content = files.pop(changed)
    assert isinstance(content, bytes)
    if how == "other bytes":
        files[changed] = content.replace(b"a", b"b").replace(b"\x00", b"\x01")
        assert files[changed] != content
    path.write_bytes(tar_of(files))
    report: Report = copy(name, f"oci-archive:{path}:1", options=REPAIR)
    assert report.targets[0].status is Status.COPIED
    assert verify(name, f"oci-archive:{path}:1", target_only=True).exit_code == 0
    again = copy(name, f"oci-archive:{path}:1", options=REPAIR)
    assert again.targets[0].status is Status.PRESENT
