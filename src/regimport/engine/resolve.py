"""Tags become digests: once for the source, and what each target's tag points to now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from regimport.engine.ends import Source
from regimport.engine.target import Status, TargetCopy
from regimport.engine.workers import Workers
from regimport.errors import ContentMismatch, NotFound, RegimportError, Side, TagExists
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest

__all__ = ["Current", "ask", "resolve", "settle"]

# What a target's tag points to: nothing, or it could not be found out.
Current = Descriptor | RegimportError | None


def resolve(
    source: Source,
    reference: str,
    workers: Workers,
    targets: Sequence[TargetCopy] = (),
    *,
    no_clobber: bool = False,
) -> tuple[Descriptor, list[TargetCopy]]:
    """Return the image's root, and what is to be done at the targets: `ask`, then `settle`."""
    root, answers = ask(source, reference, workers, targets, certain=no_clobber)
    return root, settle(root, targets, answers, no_clobber=no_clobber)


def ask(
    source: Source,
    reference: str,
    workers: Workers,
    targets: Sequence[TargetCopy] = (),
    *,
    certain: bool = False,
) -> tuple[Descriptor, list[Current]]:
    """Ask both ends at once: the source what `reference` is, the targets what their tags are.

    Return the image's root, and the answer of each target. A target without a tag is asked about
    the digest in `reference`, if there is one. Where they must be `certain`, a tag that a target
    does not tell of is an error. Raise `NotFound` if the source has no such image.
    """
    pinned = reference if reference.startswith(("sha256:", "sha512:")) else None
    calls: list[Callable[[], Current]] = [
        partial(source.head_manifest, reference),
        *(partial(_current, target, pinned, certain=certain) for target in targets),
    ]
    root, *answers = workers.map(lambda call: call(), calls)
    if not isinstance(root, Descriptor):
        separator = "@" if ":" in reference else ":"
        raise NotFound(
            f"the source has no {source.name}{separator}{reference}",
            hint="check the spelling; `regimport tags REPOSITORY` lists what there is",
            status=404,
        ).located(Side.SOURCE, source.name)
    return root, answers


def settle(
    root: Descriptor,
    targets: Sequence[TargetCopy],
    answers: Sequence[Current],
    *,
    no_clobber: bool = False,
) -> list[TargetCopy]:
    """Return the copies of `root` to the targets, whose tags are what they answered.

    Those that are done or must not be tried say so, and the others are one for each repository.
    With `no_clobber`, a target that did not say whether a tag exists has failed.
    """
    found = list(zip(targets, answers, strict=True))
    judged = [_judged(target, root, now, no_clobber=no_clobber) for target, now in found]
    known = {target.name for target, now in found if now is not None}
    return _merged(judged, known)


def _current(target: TargetCopy, pinned: str | None, *, certain: bool) -> Current:
    """Return what the target's tag, or the digest `pinned`, points to there.

    Where it must be `certain`, a tag that the target does not tell of is an error.
    """
    try:
        if target.tags:
            find = target.end.find_tag if certain else target.end.head_manifest
            return find(target.tags[0])
        return None if pinned is None else target.end.head_manifest(pinned)
    except RegimportError as error:
        return error


def _judged(
    target: TargetCopy, root: Descriptor, current: Current, *, no_clobber: bool
) -> TargetCopy:
    """Return the target as present or failed, if what its tag points to settles it."""
    if target.expected is not None and target.expected != root.digest:
        return target.failed(_not_expected(target, target.expected, root))
    if isinstance(current, RegimportError):
        return target.failed(current)
    if current is not None and current.digest == root.digest:
        return replace(target, status=Status.PRESENT)
    if current is not None and no_clobber:
        exists = TagExists(
            f"{':'.join((target.name, *target.tags))} exists already, as {current.digest}",
            hint="nothing was written there; leave `no_clobber` out to move the tag",
        )
        return target.failed(exists.located(Side.TARGET, target.name))
    return target


def _not_expected(target: TargetCopy, expected: Digest, root: Descriptor) -> RegimportError:
    return ContentMismatch(
        f"the target is pinned to {expected}, but the source is {root.digest}",
        expected=expected,
        got=root.digest,
        hint="nothing was written; leave the digest out of the target, or pin the source",
    ).located(Side.TARGET, target.name)


def _merged(targets: Sequence[TargetCopy], known: set[str]) -> list[TargetCopy]:
    """Merge the copies still to be made by repository: content sent once serves all tags.

    `known` are the repositories in which one of the tags was found, or could not be asked about.
    """
    settled = [target for target in targets if not target.pending]
    pending: dict[str, TargetCopy] = {}
    for target in targets:
        if not target.pending:
            continue
        first = pending.get(target.name)
        if first is None:
            pending[target.name] = replace(target, has_no_tags=target.name not in known)
        else:
            references = first.references + target.references
            pending[target.name] = replace(first, references=references)
    return settled + list(pending.values())
