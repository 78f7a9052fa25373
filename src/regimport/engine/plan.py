"""The plan: for every manifest and blob, what is to be done at each target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from regimport.engine.ends import Source
from regimport.engine.known import KnownBlobs, registry_of
from regimport.engine.labels import labeller
from regimport.engine.steps import Action, Plan, Step
from regimport.engine.target import TargetCopy
from regimport.engine.walk import Graph, walk
from regimport.engine.workers import Workers
from regimport.errors import ContentMismatch, Side
from regimport.events import Reporter
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.mediatype import is_foreign_layer
from regimport.options import ForeignLayers

__all__ = ["Attach", "make_plans"]

Attach: TypeAlias = Callable[[Graph, list[TargetCopy]], tuple[Graph, list[TargetCopy]]]


def make_plans(
    source: Source,
    root: Descriptor,
    targets: Sequence[TargetCopy],
    workers: Workers,
    reporter: Reporter,
    *,
    exact: bool = False,
    largest: int | None = None,
    attach: Attach | None = None,
    foreign: ForeignLayers = "auto",
    check: Callable[[Sequence[Descriptor]], object] = len,
    known: KnownBlobs | None = None,
) -> tuple[Graph, list[TargetCopy]]:
    """Read the image's manifests, ask the targets what they have, and decide; write nothing.

    Return the image, and the targets with their plans. A target that has neither a tag nor any
    manifest of the image is not asked for every blob, unless the plan is to be `exact`: the start
    of each upload asks in the same request. `largest` and `check` are those of `walk`. Of several
    repositories of a registry, one is sent a blob, and the others mount it; so do those for which
    the run has `known` blobs elsewhere in their registry. `attach` adds what belongs to the image,
    and asks the targets about it. `foreign` is `CopyOptions.foreign_layers`.
    """
    seen = KnownBlobs() if known is None else known
    graph, found = walk(source, root, workers, reporter, targets, largest=largest, check=check)
    if attach is not None:
        graph, found = attach(graph, found)
    questions = [(target, blob) for target in found for blob in _lacking(source, graph, target)]

    def decide(question: tuple[TargetCopy, Descriptor]) -> tuple[str, Step]:
        target, blob = question
        if is_foreign_layer(blob.media_type):
            return target.name, _foreign_step(source, target, blob, seen, foreign)
        # Its URLs are of no use: the source has it.
        plain = replace(blob, urls=())
        return target.name, Step(plain, _action(target, blob, seen, exact=exact))

    decided = _sent_once(workers.map(decide, questions), seen)
    return graph, [
        replace(
            target,
            plan=Plan(
                tuple(step for name, step in decided if name == target.name),
                _manifest_steps(graph, target.existing),
            ),
        )
        for target in found
    ]


def _lacking(source: Source, graph: Graph, target: TargetCopy) -> list[Descriptor]:
    """Return the blobs of all manifests that the target does not hold, each digest once.

    A target that is examined may have a manifest, and not what that names.
    """
    found: dict[Digest, Descriptor] = {}
    for manifest in graph.manifests:
        if manifest.digest in target.existing and not target.examined:
            continue
        for blob in manifest.blobs():
            first = found.setdefault(blob.digest, blob)
            if first.size != blob.size:
                raise ContentMismatch(
                    f"the image gives blob {blob.digest} two sizes: {first.size} and {blob.size} "
                    "bytes",
                    expected=f"{first.size} bytes",
                    got=f"{blob.size} bytes",
                ).located(Side.SOURCE, source.name)
    return list(map(labeller(graph), found.values()))


def _sent_once(decided: Sequence[tuple[str, Step]], known: KnownBlobs) -> list[tuple[str, Step]]:
    """Return the steps, where one repository of each registry is sent a blob at most."""
    found = {
        (registry_of(name), step.descriptor.digest)
        for name, step in decided
        if step.action is Action.PRESENT
    }
    steps: list[tuple[str, Step]] = []
    for name, step in decided:
        if step.action is Action.COPY and known.mounts(name):
            place = registry_of(name), step.descriptor.digest
            mount = place in found
            found.add(place)
            steps.append((name, replace(step, action=Action.MOUNT) if mount else step))
        else:
            steps.append((name, step))
    return steps


def _action(target: TargetCopy, blob: Descriptor, known: KnownBlobs, *, exact: bool) -> Action:
    if _is_known(target, blob, known):
        return Action.PRESENT
    if target.mount_from is not None or known.mountable(target.name, blob.digest):
        return Action.MOUNT
    if target.examined and target.holds_parts:
        return Action.COPY
    if not target.holds_parts and not exact:
        return Action.COPY
    if not target.end.has_blob(blob):
        return Action.COPY
    known.add(target.name, blob.digest)
    return Action.PRESENT


def _is_known(target: TargetCopy, blob: Descriptor, known: KnownBlobs) -> bool:
    """Return whether a target has a blob; one that is examined is asked in any case."""
    if not (target.examined and target.holds_parts):
        return known.has(target.name, blob.digest)
    whole = target.end.has_blob(blob)
    if whole:
        known.add(target.name, blob.digest)
    return whole


def _foreign_step(
    source: Source,
    target: TargetCopy,
    blob: Descriptor,
    known: KnownBlobs,
    wanted: ForeignLayers,
) -> Step:
    """Return what is to be done with a foreign layer, which the source need not have.

    The step of one that is to be read from its URLs is the only one whose blob has any.
    """
    plain = replace(blob, urls=())
    if _is_known(target, blob, known):
        return Step(plain, Action.PRESENT)
    if known.mountable(target.name, blob.digest):
        return Step(plain, Action.MOUNT)
    if target.end.has_blob(blob):
        known.add(target.name, blob.digest)
        return Step(plain, Action.PRESENT)
    if wanted == "skip":
        return Step(plain, Action.SKIP)
    if source.has_blob(blob):
        return Step(plain, Action.COPY if target.mount_from is None else Action.MOUNT)
    return Step(blob, Action.COPY) if wanted == "copy" else Step(plain, Action.SKIP)


def _manifest_steps(graph: Graph, held: frozenset[Digest]) -> tuple[Step, ...]:
    read = {manifest.digest: manifest.descriptor for manifest in graph.manifests}
    image = (graph.root, *graph.named, *graph.attached)
    known = {descriptor.digest: descriptor for descriptor in image}
    label = labeller(graph)
    return tuple(
        Step(label(read.get(digest, descriptor)), Action.PRESENT if digest in held else Action.COPY)
        for digest, descriptor in reversed(known.items())
    )
