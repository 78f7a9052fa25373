"""Some platforms of an image: a new index of them, valid, with their attestations, and its cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from regimport import (
    CopyOptions,
    InvalidOptions,
    LimitExceeded,
    Limits,
    NotFound,
    Report,
    Status,
    copy,
    digest,
    inspect,
    manifest,
    verify,
)
from regimport.cli.documents.report import ReportDocument
from support.images import DOCKER_LIST, OCI_INDEX, Image, as_buildx, digest_of, nested
from support.images import single as single_image
from support.stage import Stage, on_stage

TWO = ("linux/amd64", "linux/arm64")
SOURCE = "vnd.regimport.source.digest"
PLATFORMS = "vnd.regimport.platforms"
FRESH = CopyOptions(platforms=TWO, cache=False)  # type: ignore[arg-type]


def options(*platforms: str, **more: Any) -> CopyOptions:
    return CopyOptions(platforms=platforms, **more)  # type: ignore[arg-type]


@pytest.fixture
def stage() -> Iterator[Stage]:
    with on_stage() as made:
        yield made


def entries(image: Image) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(image.raw)["manifests"]
    return found


def written(stage: Stage, report: Report) -> dict[str, Any]:
    """The new index as the target has it, under its tag and its digest."""
    kept = stage.target.registry.manifests["app"]
    media_type, raw = kept["1"]
    assert kept[report.root.digest] == (media_type, raw)
    assert digest_of(raw) == report.root.digest
    assert media_type == report.root.media_type
    document: dict[str, Any] = json.loads(raw)
    return document


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
def test_several_platforms_are_a_new_index_of_them_and_their_attestations(
    stage: Stage, media_type: str
) -> None:
    image = as_buildx(media_type=media_type)
    report = copy(stage.hold(image), stage.target.name, options=options(*TWO))
    document = written(stage, report)
    old = json.loads(image.raw)
    amd64, arm64, _, of_amd64, of_arm64, _ = old["manifests"]
    assert document["manifests"] == [amd64, arm64, of_amd64, of_arm64]
    assert document["mediaType"] == media_type == report.root.media_type
    assert document["annotations"] == old["annotations"] | {
        SOURCE: image.root,
        PLATFORMS: "linux/amd64,linux/arm64",
    }
    content = stage.target.registry
    assert len(content.manifests["app"]) == 4 + 2, "the four, and the root by digest and tag"
    assert len(content.blobs["app"]) == 8
    assert report.subset is not None
    assert (report.subset.source, report.subset.digest) == (image.root, report.root.digest)
    assert report.source.endswith(f"@{image.root}")


def test_the_same_part_of_the_same_index_has_the_same_digest(stage: Stage) -> None:
    name = stage.hold(as_buildx())
    wanted = [TWO, ("linux/arm64,linux/amd64",), ("linux/aarch64", "linux/x86_64")]
    found = {digest(name, options=options(*each, cache=False)) for each in wanted}
    assert len(found) == 1
    assert manifest(name, options=options(*TWO)).digest in found
    assert digest(name, options=options(*TWO, attestations=False)) not in found


def test_one_platform_is_its_manifest_and_as_an_index_a_new_index(stage: Stage) -> None:
    image = as_buildx()
    name = stage.hold(image)
    plain = copy(name, stage.target.name, options=options("linux/arm64"))
    assert plain.root.digest == entries(image)[1]["digest"]
    assert plain.subset is None
    report = copy(name, stage.target.name, options=options("linux/arm64", as_index=True))
    assert len(written(stage, report)["manifests"]) == 2


def test_attestations_are_left_out_where_they_are_not_wanted(stage: Stage) -> None:
    image = as_buildx()
    name = stage.hold(image)
    report = copy(name, stage.target.name, options=options(attestations=False))
    document = written(stage, report)
    assert document["manifests"] == entries(image)[:3]
    assert PLATFORMS not in document["annotations"]
    report = copy(name, stage.target.name, options=options(*TWO, attestations=False))
    assert written(stage, report)["manifests"] == entries(image)[:2]


def test_an_index_of_which_nothing_is_left_out_stays_what_it_is(stage: Stage) -> None:
    image = as_buildx(platforms=TWO)
    report = copy(stage.hold(image), stage.target.name, options=options(*TWO))
    assert (report.root.digest, report.subset) == (image.root, None)
    alone = single_image()
    report = copy(stage.hold(alone), stage.target.name, options=options(attestations=False))
    assert report.root.digest == alone.root


def test_an_index_in_an_index_is_cut_too(stage: Stage) -> None:
    image = nested()
    wanted = options("linux/arch0", "linux/arch2", cache=False)
    report = copy(stage.hold(image), stage.target.name, options=wanted)
    inner, last = written(stage, report)["manifests"]
    assert last == entries(image)[2]
    (_, raw) = stage.target.registry.manifests["app"][inner["digest"]]
    assert inner["size"] == len(raw)
    old = json.loads(image.manifests[entries(image)[0]["digest"]][1])
    assert json.loads(raw)["manifests"] == [old["manifests"][0]]
    assert copy(f"{stage.source.name}:1", stage.target.name, options=wanted).targets[0].status is (
        Status.PRESENT
    )


def test_a_platform_that_is_not_there_ends_with_what_there_is(stage: Stage) -> None:
    name = stage.hold(as_buildx())
    with pytest.raises(NotFound, match="nothing for linux/s390x") as caught:
        copy(name, stage.target.name, options=options("linux/amd64", "linux/s390x"))
    assert caught.value.hint == "there is linux/amd64, linux/arm/v7, linux/arm64/v8"
    assert not stage.target.registry.manifests


def test_the_limits_are_those_of_what_is_left(stage: Stage) -> None:
    name = stage.hold(as_buildx())
    tight = Limits(max_manifests=4)
    with pytest.raises(LimitExceeded):
        copy(name, stage.target.name, options=CopyOptions(limits=tight))
    with pytest.raises(LimitExceeded):
        copy(name, stage.target.name, options=options(*TWO, limits=Limits(max_manifests=3)))
    assert not stage.target.registry.manifests
    copy(name, stage.target.name, options=options(*TWO, limits=tight))


def test_an_unchanged_subset_costs_two_requests_at_the_target_and_one_head_at_the_source(
    stage: Stage,
) -> None:
    image = as_buildx()
    name = stage.hold(image)
    first = copy(name, stage.target.name, options=FRESH)
    stage.forget()
    again = copy(name, stage.target.name, options=FRESH)
    assert stage.source.asked() == {"HEAD manifest": 1}
    assert stage.target.asked() == {"HEAD manifest": 1, "GET manifest": 1}
    assert (again.targets[0].status, again.root) == (Status.PRESENT, first.root)
    assert again.targets[0].pinned == first.targets[0].pinned
    assert again.subset == first.subset
    # Where the old index is known from an earlier run, the new one is, too.
    copy(name, stage.target.name, options=replace(FRESH, cache=True, verify=True))
    stage.forget()
    copy(name, stage.target.name, options=replace(FRESH, cache=True))
    assert stage.source.asked() == stage.target.asked() == {"HEAD manifest": 1}


def test_a_complete_index_at_the_target_saves_reading_it_at_the_source(stage: Stage) -> None:
    name = stage.hold(as_buildx())
    copy(name, stage.target.name, options=CopyOptions(cache=False))
    stage.forget()
    report = copy(name, stage.target.name, options=FRESH)
    assert not report.pulls
    assert len(written(stage, report)["manifests"]) == 4


@pytest.mark.parametrize("changed", ["source", "platforms", "attestations"])
def test_another_part_or_another_image_is_not_taken_for_it(stage: Stage, changed: str) -> None:
    name = stage.hold(as_buildx())
    first = copy(name, stage.target.name, options=FRESH)
    wanted = FRESH
    if changed == "source":
        stage.hold(as_buildx("new"))
    elif changed == "platforms":
        wanted = options("linux/amd64", "linux/arm/v7", cache=False)
    else:
        wanted = replace(FRESH, attestations=False)
    report = copy(name, stage.target.name, options=wanted)
    assert report.root.digest != first.root.digest
    assert report.targets[0].status is Status.COPIED
    written(stage, report)


def test_every_target_must_have_it(stage: Stage) -> None:
    name = stage.hold(as_buildx())
    copy(name, stage.target.name, options=FRESH)
    report = copy(name, stage.target.name, f"{stage.target.name}:other", options=FRESH)
    assert [target.status for target in report.targets] == [Status.PRESENT, Status.COPIED]


def test_a_tag_that_exists_is_kept_and_a_pinned_target_compared(stage: Stage) -> None:
    name = stage.hold(as_buildx())
    copy(name, stage.target.name, options=CopyOptions())
    kept = replace(FRESH, no_clobber=True)
    failed = copy(name, stage.target.name, check=False, options=kept)
    assert failed.exit_code == 9
    wanted = digest(name, options=FRESH)
    report = copy(name, f"{stage.target.name}:2@{wanted}", options=kept)
    assert report.root.digest == wanted
    untagged = copy(
        f"{stage.source.name}@{report.source.partition('@')[2]}", stage.target.name, options=FRESH
    )
    assert untagged.targets[0].status is Status.PRESENT


def test_a_subset_is_verified_against_the_index_made_anew(stage: Stage) -> None:
    name = stage.hold(as_buildx())
    report = copy(name, stage.target.name, options=replace(FRESH, verify=True))
    assert report.targets[0].verification is not None
    found = verify(name, stage.target.name, options=FRESH)
    assert (found.exit_code, found.root.digest) == (0, report.root.digest)
    assert [end.manifests for end in found.ends] == [5, 5]
    # One that only says that it is this part of this image is not.
    kept = stage.target.registry.manifests["app"]
    forged = json.loads(kept["1"][1])
    forged["manifests"].reverse()
    kept["1"] = (OCI_INDEX, json.dumps(forged).encode())
    assert verify(name, stage.target.name, options=FRESH).exit_code == 7
    repaired = copy(name, stage.target.name, options=replace(FRESH, verify=True))
    assert repaired.root.digest == report.root.digest


def test_a_layout_takes_a_subset_and_gives_it(stage: Stage, tmp_path: Path) -> None:
    image = as_buildx()
    report = copy(stage.hold(image), f"oci:{tmp_path / 'l'}:1", options=FRESH)
    assert inspect(f"oci:{tmp_path / 'l'}:1").manifests == 5
    again = copy(f"oci:{tmp_path / 'l'}:1", stage.target.name)
    assert again.root.digest == report.root.digest
    smaller = options("linux/amd64", as_index=True)
    assert (
        len(
            written(stage, copy(f"oci:{tmp_path / 'l'}:1", stage.target.name, options=smaller))[
                "manifests"
            ]
        )
        == 2
    )


def test_a_dry_run_has_the_new_index_and_writes_nothing(stage: Stage) -> None:
    image = as_buildx()
    report = copy(stage.hold(image), stage.target.name, options=replace(FRESH, dry_run=True))
    document = ReportDocument.of(report)
    assert document.subset is not None
    assert document.subset.source_digest == image.root
    assert document.subset.index is not None
    assert document.subset.platforms == list(map(str, FRESH.platforms))
    assert len(document.subset.index["manifests"]) == 4
    assert not stage.target.registry.manifests
    report = copy(f"{stage.source.name}:1", stage.target.name, options=FRESH)
    done = ReportDocument.of(report).subset
    assert done is not None
    assert (done.digest, done.index) == (document.subset.digest, None)


def test_an_index_of_one_platform_needs_one() -> None:
    with pytest.raises(InvalidOptions, match="as_index"):
        CopyOptions(as_index=True)


def test_an_index_with_nothing_but_attestations_has_no_part_without_them(stage: Stage) -> None:
    image = as_buildx()
    only = Image(image.blobs, image.manifests)
    only.index(entries(image)[3:])
    with pytest.raises(NotFound, match="nothing is left"):
        copy(stage.hold(only), stage.target.name, options=options(attestations=False))
