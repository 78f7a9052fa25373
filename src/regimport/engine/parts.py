"""Selects the part of an image that is wanted, before anything of it is planned."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from regimport.engine.cached import CachedManifests
from regimport.engine.ends import Source
from regimport.engine.platforms import choose, cut
from regimport.engine.resolve import Current
from regimport.engine.retrying import RetryContext
from regimport.engine.subset import Subset, is_made_of
from regimport.engine.target import TargetCopy
from regimport.errors import Interrupted, RegimportError
from regimport.models.descriptor import Descriptor
from regimport.models.manifest import Manifest
from regimport.models.platform import Selection
from regimport.values import dataclass, field

__all__ = ["Part", "part_of", "select_part"]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an image: its root, and the source that has it.

    `subset` is None unless the root is a new index. `answers` are those of the targets.
    """

    source: Source
    root: Descriptor
    subset: Subset | None = None
    answers: list[Current] = field(default_factory=list)


def part_of(source: Source, root: Descriptor, wanted: Selection, retry: RetryContext) -> Part:
    """Return the part that is wanted of the image under `root`."""
    return retry.workers.call(
        lambda: _part(source, source.get_manifest(root.digest), wanted, retry)
    )


def select_part(
    source: Source,
    root: Descriptor,
    wanted: Selection,
    retry: RetryContext,
    targets: Sequence[TargetCopy],
    answers: list[Current],
    *,
    trusting: bool,
) -> Part:
    """Return the part that is wanted of the image under `root`, read where that costs least.

    `answers` are what the tags of the targets point to. Where that is an index that says of itself
    that it is this part of this image, the source is not read if the caller is `trusting`; what is
    there is not replaced then.
    """
    workers = retry.workers
    known = source.known(root.digest) if isinstance(source, CachedManifests) else None
    held: list[Manifest | None] = []
    if known is None and trusting and wanted.makes_index:
        held = workers.map(_held, zip(targets, answers, strict=True))
        known = next((each for each in held if each and each.digest == root.digest), None)
        own = [each for each in held if each and is_made_of(each, root.digest, wanted)]
        if own and len(own) == len(held) and len({each.digest for each in own}) == 1:
            return _found(source, root, wanted, own[0], answers)
    if known is None:
        part = part_of(source, root, wanted, retry)
    else:
        part = workers.call(partial(_part, source, known, wanted, retry))
    return Part(part.source, part.root, part.subset, _asked(part.root, targets, answers, retry))


def _part(source: Source, manifest: Manifest, wanted: Selection, retry: RetryContext) -> Part:
    if not wanted.makes_index:
        return Part(source, choose(source, manifest, wanted.platforms, retry))
    found, index = cut(source, manifest, wanted, retry)
    if index.digest == manifest.digest:
        return Part(source, index.descriptor)
    return Part(found, index.descriptor, _subset(manifest.descriptor, wanted, index))


def _found(
    source: Source, root: Descriptor, wanted: Selection, index: Manifest, answers: list[Current]
) -> Part:
    return Part(source, index.descriptor, _subset(root, wanted, index), answers)


def _subset(root: Descriptor, wanted: Selection, index: Manifest) -> Subset:
    platforms = tuple(map(str, wanted.platforms))
    return Subset(root.digest, platforms, wanted.attestations, index)


def _held(pair: tuple[TargetCopy, Current]) -> Manifest | None:
    """Return the manifest that a target's tag points to; None if that is not to be had."""
    target, answer = pair
    if not isinstance(answer, Descriptor):
        return None
    try:
        return target.end.get_manifest(answer.digest)
    except Interrupted:
        raise
    except RegimportError:
        return None


def _asked(
    root: Descriptor,
    targets: Sequence[TargetCopy],
    answers: Sequence[Current],
    retry: RetryContext,
) -> list[Current]:
    """Return the answers, with what the targets without a tag say of the root, now it is known."""

    def answered(pair: tuple[TargetCopy, Current]) -> Current:
        target, answer = pair
        if target.tags:
            return answer
        try:
            return target.end.head_manifest(root.digest)
        except RegimportError as error:
            return error

    return retry.workers.map(answered, zip(targets, answers, strict=True))
