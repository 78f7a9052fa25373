"""What is decided for each blob and manifest, and what has to be asked for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.memory import Memory, Told, copy_to, root_of, stored
from regimport.engine.plan import make_plans
from regimport.engine.steps import Action, Plan
from regimport.engine.tally import Tally
from regimport.engine.target import TargetCopy
from regimport.engine.workers import Workers
from regimport.errors import ContentMismatch, Side
from support.images import OCI_CONFIG, Image, many_platforms, nested, single

_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


def planned(source: Memory, image: Image, *copies: TargetCopy, exact: bool = False) -> list[Plan]:
    with Workers(3) as workers:
        _, found = make_plans(source, root_of(image), copies, workers, Told(), exact=exact)
    plans = [copy.plan for copy in found if copy.plan is not None]
    assert len(plans) == len(copies)
    return plans


def actions(plan: Plan) -> dict[str, Action]:
    return {step.descriptor.digest: step.action for step in plan.steps}


def questions(target: Memory) -> set[str]:
    return {what.removeprefix("HAS ") for what in target.asked if what.startswith("HAS ")}


def test_an_empty_target_is_to_get_everything_and_is_not_asked_for_blobs() -> None:
    image, target = many_platforms(), Memory("target.example/x")
    [plan] = planned(stored(image), image, replace(copy_to(target), has_no_tags=True))
    assert actions(plan) == dict.fromkeys(image.content(), Action.COPY)
    assert not questions(target)


@pytest.mark.parametrize(("has_no_tags", "exact"), [(False, False), (True, True)])
def test_a_target_with_a_tag_or_in_a_dry_run_is_asked_for_every_blob(
    has_no_tags: bool, exact: bool
) -> None:
    image, target = many_platforms(), Memory("target.example/x")
    kept = next(iter(image.blobs))
    target.blobs[kept] = image.blobs[kept]
    copy = replace(copy_to(target), has_no_tags=has_no_tags)
    [plan] = planned(stored(image), image, copy, exact=exact)
    assert questions(target) == set(image.blobs)
    present = {digest for digest, action in actions(plan).items() if action is Action.PRESENT}
    assert present == {kept}


def test_blobs_under_manifests_that_a_target_holds_are_no_part_of_its_plan() -> None:
    image, target = many_platforms(), Memory("target.example/x")
    first = next(iter(image.manifests))
    target.manifests[first] = stored(image).manifests[first]
    [plan] = planned(stored(image), image, copy_to(target))
    found = actions(plan)
    assert found.pop(first) is Action.PRESENT
    own = {blob.digest for blob in target.manifests[first].blobs()}
    others = {
        blob.digest
        for manifest in stored(image).manifests.values()
        if manifest.digest != first
        for blob in manifest.blobs()
    }
    assert own - others
    assert set(found) == (set(image.manifests) - {first}) | others


def test_each_target_has_the_plan_for_what_it_lacks() -> None:
    image = many_platforms()
    whole, empty = Memory("whole.example/x"), Memory("empty.example/x")
    whole.blobs.update(image.blobs)
    first, second = planned(stored(image), image, copy_to(whole), copy_to(empty))
    assert {step.action for step in first.blobs} == {Action.PRESENT}
    assert {step.action for step in second.blobs} == {Action.COPY}


def test_a_blob_is_mounted_where_the_source_is_in_the_same_registry() -> None:
    image, target = single(), Memory("target.example/x")
    copy = replace(copy_to(target), mount_from="x")
    [plan] = planned(stored(image), image, copy)
    assert {step.action for step in plan.blobs} == {Action.MOUNT}
    assert not questions(target)


@pytest.mark.parametrize("held", [True, False])
def test_a_foreign_layer_is_copied_only_if_the_source_holds_it(held: bool) -> None:
    image = Image()
    layer = image.blob(b"foreign", _FOREIGN)
    image.manifest(image.blob(b"{}", OCI_CONFIG), [layer])
    source = stored(image)
    if not held:
        del source.blobs[str(layer["digest"])]
    [plan] = planned(source, image, replace(copy_to(Memory("target.example/x")), has_no_tags=True))
    wanted = Action.COPY if held else Action.SKIP
    assert actions(plan)[str(layer["digest"])] is wanted


def test_a_digest_that_is_said_to_have_two_sizes_is_a_mismatch() -> None:
    image = Image()
    config = image.blob(b"{}", OCI_CONFIG)
    layer = image.blob(b"layer")
    children = [image.manifest(config, [layer]), image.manifest(config, [layer | {"size": 9}])]
    image.index(children)
    with pytest.raises(ContentMismatch, match="5 and 9 bytes") as caught:
        planned(stored(image), image, copy_to(Memory("target.example/x")))
    assert caught.value.side is Side.SOURCE


def test_manifests_come_children_first_and_the_root_last() -> None:
    image = nested()
    [plan] = planned(stored(image), image, copy_to(Memory("target.example/x")))
    order = [step.descriptor.digest for step in plan.manifests]
    assert order[-1] == image.root
    for manifest in stored(image).manifests.values():
        for child in manifest.manifests:
            assert order.index(child.digest) < order.index(manifest.digest)


def test_a_tally_counts_the_steps_of_a_plan() -> None:
    image, target = single(size=3000), Memory("target.example/x")
    config, layer = image.blobs
    target.blobs[layer] = image.blobs[layer]
    [plan] = planned(stored(image), image, copy_to(target))
    size = len(image.blobs[config])
    assert Tally.of(plan) == Tally(
        manifests_copied=1,
        blobs_copied=1,
        bytes_copied=size,
        blobs_present=1,
        bytes_present=len(image.blobs[layer]),
    )
    assert Tally.of(plan, {Action.PRESENT}) == Tally(
        blobs_present=1, bytes_present=len(image.blobs[layer])
    )
