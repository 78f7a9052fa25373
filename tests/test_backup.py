"""`backup`: the old image of a tag that moves is kept under another tag first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from regimport import (
    AccessDenied,
    CopyOptions,
    InvalidOptions,
    RegimportError,
    Status,
    TagExists,
    copy,
    copy_tags,
    digest,
    verify,
)
from regimport.models.backup import BackupNames
from regimport.models.digest import Digest
from support.client import Client
from support.images import as_buildx
from support.miniature import complaint
from support.registries import DockerRegistry
from support.scripted import Heard, Say
from support.stage import Stage, on_stage

OLD, NEW, OTHER = as_buildx("old"), as_buildx("new"), as_buildx("other")
KEEP = CopyOptions(backup="{tag}-old")


@pytest.fixture
def stage() -> Iterator[Stage]:
    with on_stage() as made:
        yield made


def moved_on(stage: Stage) -> str:
    """Copy the old image, and let the source's tag point to the new one."""
    name = stage.hold(OLD)
    copy(name, stage.target.name)
    stage.forget()
    return stage.hold(NEW)


def test_a_template_has_the_tag_the_time_and_the_digest() -> None:
    names = BackupNames("{tag}-{date}-{time}-{digest}", datetime(2026, 11, 28, 7, 5, tzinfo=UTC))
    assert names.name("1.2", Digest(f"sha256:{'ab' * 32}")) == "1.2-20261128-070500-abababababab"


@pytest.mark.parametrize("template", ["{name}", "{tag}:{date}", "", "{tag", "-{tag}", "a b", 3])
def test_a_template_that_makes_no_valid_tag_is_refused(template: str) -> None:
    with pytest.raises(InvalidOptions, match="backup"):
        CopyOptions(backup=template)


@pytest.mark.parametrize("template", ["{tag}", "{tag}-" + "x" * 120])
def test_a_template_that_is_wrong_for_a_target_is_refused_before_anything_is_asked(
    stage: Stage, template: str
) -> None:
    name = moved_on(stage)
    target = f"{stage.target.name}:{'1' * 20}"
    with pytest.raises(InvalidOptions, match="backup"):
        copy(name, target, options=CopyOptions(backup=template))
    assert not stage.source.asked() + stage.target.asked()


def test_the_old_image_is_kept_before_its_tag_moves(stage: Stage) -> None:
    name = moved_on(stage)
    report = copy(name, stage.target.name, options=KEEP)
    assert stage.target.registry.holds("app", OLD, "1-old")
    assert stage.target.registry.holds("app", NEW, "1")
    assert report.targets[0].backup == f"{stage.target.name}:1-old"
    puts = [one.path for one in stage.target.server.heard if one.method == "PUT"]
    assert [path.rpartition("/")[2] for path in puts[-2:]] == ["1-old", "1"]


def test_a_tag_that_is_new_or_unchanged_needs_no_backup(stage: Stage) -> None:
    name = stage.hold(OLD)
    for status in (Status.COPIED, Status.PRESENT):
        (target,) = copy(name, stage.target.name, options=KEEP).targets
        assert (target.status, target.backup) == (status, None)
    assert "1-old" not in stage.target.registry.manifests["app"]


def test_a_backup_that_exists_already_is_kept_if_it_is_the_same_image(stage: Stage) -> None:
    name = moved_on(stage)
    stage.target.registry.hold("app", OLD, "1-old")
    copy(name, stage.target.name, options=KEEP)
    assert "1-old" not in [one.path.rpartition("/")[2] for one in stage.target.server.heard[-2:]]
    assert stage.target.registry.holds("app", NEW, "1")


@pytest.mark.parametrize("dry_run", [False, True])
def test_nothing_is_written_if_the_backup_is_another_image(stage: Stage, dry_run: bool) -> None:
    name = moved_on(stage)
    stage.target.registry.hold("app", OTHER, "1-old")
    with pytest.raises(TagExists, match="1-old, where the old image of 1 is to be kept"):
        copy(name, stage.target.name, options=CopyOptions(backup="{tag}-old", dry_run=dry_run))
    assert not {"PUT manifest", "PUT upload"} & stage.target.asked().keys()
    assert stage.target.registry.holds("app", OLD, "1")


def test_two_old_images_of_one_name_are_not_put_over_each_other(stage: Stage) -> None:
    name = moved_on(stage)
    stage.target.registry.hold("app", OTHER, "2")
    targets = [stage.target.name, f"{stage.target.name}:2"]
    report = copy(name, *targets, options=CopyOptions(backup="kept"))
    assert [type(target.error) for target in report.targets] == [TagExists] * 2
    assert "kept" not in stage.target.registry.manifests["app"]
    with pytest.raises(InvalidOptions, match="is itself a target"):
        copy(name, *targets, options=CopyOptions(backup="2"))
    report = copy(name, *targets, options=CopyOptions(backup="{tag}-{digest}"))
    kept = [f"{stage.target.name}:{tag}-{of.root[7:19]}" for tag, of in (("1", OLD), ("2", OTHER))]
    assert [target.backup for target in report.targets] == kept


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_the_tag_stays_where_the_backup_fails(stage: Stage, method: str) -> None:
    name = moved_on(stage)
    old = OLD.root if method == "GET" else "1-old"

    def refusing(heard: Heard) -> Say | None:
        wrong = heard.method == method and heard.path.endswith(f"/manifests/{old}")
        return complaint(403, "DENIED") if wrong else None

    stage.target.registry.door = refusing
    with pytest.raises(AccessDenied):
        copy(name, stage.target.name, options=KEEP)
    assert stage.target.registry.holds("app", OLD, "1")


def test_the_tag_stays_where_the_target_does_not_say_what_it_is(stage: Stage) -> None:
    name = moved_on(stage)

    def refusing(heard: Heard) -> Say | None:
        wrong = heard.method != "PUT" and heard.path.endswith("/manifests/1")
        return complaint(403, "DENIED") if wrong else None

    stage.target.registry.door = refusing
    with pytest.raises(RegimportError):
        copy(name, stage.target.name, options=KEEP)
    assert stage.target.registry.holds("app", OLD, "1")


def test_a_dry_run_tells_where_the_old_image_would_be(stage: Stage) -> None:
    name = moved_on(stage)
    options = CopyOptions(backup="{tag}-old", dry_run=True)
    report = copy(name, stage.target.name, options=options)
    assert report.targets[0].backup == f"{stage.target.name}:1-old"
    assert "1-old" not in stage.target.registry.manifests["app"]


def test_every_tag_of_a_repository_keeps_its_old_image(stage: Stage) -> None:
    name = moved_on(stage).rpartition(":")[0]
    many = copy_tags(name, stage.target.name, options=KEEP)
    assert many.exit_code == 0
    assert stage.target.registry.holds("app", OLD, "1-old")


@pytest.mark.parametrize("kind", ["oci", "oci-archive"])
def test_layouts_and_archives_keep_it_too(stage: Stage, tmp_path: Path, kind: str) -> None:
    target = f"{kind}:{tmp_path / 'there'}"
    copy(stage.hold(OLD), f"{target}:1")
    report = copy(stage.hold(NEW), f"{target}:1", options=KEEP)
    assert report.targets[0].backup == f"{target}:1-old"
    assert (digest(f"{target}:1-old"), digest(f"{target}:1")) == (OLD.root, NEW.root)
    assert verify(f"{target}:1-old", f"{target}:1-old").exit_code == 0


@pytest.mark.docker_registry
def test_docker_registry_keeps_it(
    source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    old, new = as_buildx(f"{repository}-old"), as_buildx(f"{repository}-new")
    ends = [f"{end.address}/{repository}:1" for end in (source, target)]
    Client(source.address).push(repository, old, "1")
    copy(*ends)
    Client(source.address).push(repository, new, "1")
    report = copy(*ends, options=CopyOptions(backup="{tag}-{date}"))
    kept = report.targets[0].backup
    assert kept is not None
    assert digest(kept) == old.root
    assert verify(kept, kept).exit_code == 0
