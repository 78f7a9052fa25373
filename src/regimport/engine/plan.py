"""The plan: for every manifest and blob, what is to be done at each target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from regimport.engine.ends import Source
from regimport.engine.labels import labeller
from regimport.engine.resolve import Delivery
from regimport.engine.walk import Graph, walk
from regimport.engine.workers import Workers
from regimport.errors import ContentMismatch, Side
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.mediatype import is_foreign_layer

__all__ = ["Action", "Plan", "Step", "make_plan"]


class Action(StrEnum):
    """What is to be done with a manifest or a blob at a target."""

    PRESENT = "present"
    MOUNT = "mount"
    COPY = "copy"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Step:
    """One manifest or blob at one delivery; skipped are foreign layers the source lacks."""

    descriptor: Descriptor
    action: Action


@dataclass(frozen=True, slots=True)
class Plan:
    """All that will be done: `blobs[n]` and `manifests[n]` are the steps of delivery `n`.

    Manifests come children first, the root last.
    """

    graph: Graph
    blobs: tuple[tuple[Step, ...], ...]
    manifests: tuple[tuple[Step, ...], ...]

    @property
    def root(self) -> Descriptor:
        """The image's manifest or index."""
        return self.graph.root

    def content(self) -> dict[Digest, Manifest]:
        """Give the manifests that were read, by digest."""
        return {manifest.digest: manifest for manifest in self.graph.manifests}

    def moving(self) -> dict[Digest, Descriptor]:
        """Give the blobs that are to be read from the source, each once."""
        return {
            step.descriptor.digest: step.descriptor
            for steps in self.blobs
            for step in steps
            if step.action is Action.COPY
        }


def make_plan(
    source: Source,
    root: Descriptor,
    deliveries: Sequence[Delivery],
    workers: Workers,
    *,
    exact: bool = False,
    ahead: Sequence[Callable[[], None]] = (),
    expect: Callable[[int], None] = lambda _: None,
) -> Plan:
    """Read the image's manifests, ask the targets what they have, and decide; writes nothing.

    A target that has neither a tag nor any manifest of the image is not asked for every blob,
    unless the plan is to be `exact`: the start of each upload asks in the same request. `ahead`
    is done while the root is read.
    """
    graph = walk(source, root, deliveries, workers, ahead, expect)
    blobs = [_blobs(source, graph, held) for held in graph.present]
    new = [
        delivery.vacant and not held and not exact
        for delivery, held in zip(deliveries, graph.present, strict=True)
    ]
    questions = [(number, blob) for number, needed in enumerate(blobs) for blob in needed]

    def decide(question: tuple[int, Descriptor]) -> Step:
        number, blob = question
        return _decide(source, deliveries[number], blob, unasked=new[number])

    steps = workers.map(decide, questions)
    return Plan(
        graph,
        tuple(
            tuple(
                step for (owner, _), step in zip(questions, steps, strict=True) if owner == number
            )
            for number in range(len(deliveries))
        ),
        tuple(_manifest_steps(graph, held) for held in graph.present),
    )


def _blobs(source: Source, graph: Graph, held: frozenset[Digest]) -> list[Descriptor]:
    """Give the blobs of all manifests that are not held yet, each digest once."""
    found: dict[Digest, Descriptor] = {}
    for manifest in graph.manifests:
        if manifest.digest in held:
            continue
        for blob in manifest.blobs():
            first = found.setdefault(blob.digest, blob)
            if first.size != blob.size:
                raise ContentMismatch(
                    f"{blob.digest} is said to have {first.size} and {blob.size} bytes",
                    expected=f"{first.size} bytes",
                    got=f"{blob.size} bytes",
                ).located(Side.SOURCE, source.name)
    return list(map(labeller(graph), found.values()))


def _decide(source: Source, delivery: Delivery, blob: Descriptor, *, unasked: bool) -> Step:
    if delivery.mount_from is not None:
        return Step(blob, Action.MOUNT)
    foreign = is_foreign_layer(blob.media_type)
    if unasked and not foreign:
        return Step(blob, Action.COPY)
    if delivery.end.has_blob(blob):
        return Step(blob, Action.PRESENT)
    if foreign and not source.has_blob(blob):
        return Step(blob, Action.SKIP)
    return Step(blob, Action.COPY)


def _manifest_steps(graph: Graph, held: frozenset[Digest]) -> tuple[Step, ...]:
    read = {manifest.digest: manifest.descriptor for manifest in graph.manifests}
    known = {descriptor.digest: descriptor for descriptor in (graph.root, *graph.named)}
    label = labeller(graph)
    return tuple(
        Step(label(read.get(digest, descriptor)), Action.PRESENT if digest in held else Action.COPY)
        for digest, descriptor in reversed(known.items())
    )
