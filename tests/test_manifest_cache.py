"""What a copy saves that finds manifests which were read before: pulls, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from regimport import CopyOptions, NotFound, Status, copy, digest, inspect, verify
from support.images import as_buildx
from support.stage import Stage, on_stage

ARM = CopyOptions(platforms=("linux/arm64",))  # type: ignore[arg-type]


@pytest.fixture
def stage() -> Iterator[Stage]:
    with on_stage() as made:
        yield made


def cached() -> list[Path]:
    return sorted(Path(os.environ["HOME"], ".cache/regimport/manifests").glob("*"))


def test_one_platform_of_an_unchanged_index_copied_again_costs_heads_only(stage: Stage) -> None:
    name = stage.hold(as_buildx())
    first = copy(name, stage.target.name, options=ARM)
    stage.forget()
    again = copy(name, stage.target.name, options=ARM)
    assert stage.source.asked() == stage.target.asked() == {"HEAD manifest": 1}
    assert (again.targets[0].status, again.pulls) == (Status.PRESENT, 0)
    assert again.root.digest == first.root.digest == digest(name, options=ARM)
    assert stage.source.asked() == {"HEAD manifest": 1}


def test_another_target_costs_no_pull(stage: Stage) -> None:
    name = stage.hold(as_buildx())
    copy(name, stage.target.name)
    stage.forget()
    report = copy(name, f"{stage.target.server.address}/other")
    assert (report.pulls, report.targets[0].status) == (0, Status.COPIED)
    assert "GET manifest" not in stage.source.asked()
    inspect(name)
    assert "GET manifest" not in stage.source.asked()


def test_a_tag_that_moved_is_read(stage: Stage) -> None:
    name = stage.hold(as_buildx())
    copy(name, stage.target.name, options=ARM)
    new = as_buildx("new")
    stage.hold(new)
    report = copy(name, stage.target.name, options=ARM)
    assert report.pulls
    assert report.root.digest in new.manifests


def test_an_image_that_is_gone_is_not_there_any_more(stage: Stage) -> None:
    name = stage.hold(as_buildx())
    copy(name, stage.target.name, options=ARM)
    stage.source.registry.manifests.clear()
    with pytest.raises(NotFound):
        copy(name, stage.target.name, options=ARM)


def test_without_it_nothing_is_kept_or_used(stage: Stage) -> None:
    name = stage.hold(as_buildx())
    none = CopyOptions(cache=False, platforms=ARM.platforms)
    copy(name, stage.target.name, options=none)
    assert not cached()
    copy(name, stage.target.name, options=ARM)
    assert len(cached()) == 1, "the index; the manifest itself is there already"
    stage.forget()
    copy(name, stage.target.name, options=none)
    assert stage.source.asked() == {"HEAD manifest": 1, "GET manifest": 1}


def test_a_verification_reads_what_the_source_has_now(stage: Stage) -> None:
    image = as_buildx()
    name = stage.hold(image)
    copy(name, stage.target.name)
    stage.forget()
    assert verify(name, stage.target.name).exit_code == 0
    assert stage.source.asked()["GET manifest"] == len(image.manifests)


def test_a_folder_that_cannot_be_written_does_not_matter(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/no")
    report = copy(stage.hold(as_buildx()), stage.target.name)
    assert report.exit_code == 0
