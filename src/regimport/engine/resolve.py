"""Tags become digests: once for the source, and what each target's tag points to now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from regimport.engine.ends import Source, Target
from regimport.engine.workers import Workers
from regimport.errors import ContentMismatch, NotFound, RegimportError, Side, TagExists
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest

__all__ = ["Delivery", "Goal", "Standing", "deliveries", "judge", "resolve"]


@dataclass(frozen=True, slots=True)
class Goal:
    """One target as the user named it: a tag, or the digest alone, at one repository.

    `expected` is the digest that the user pinned the target to. `mount_from` is the source's
    repository where both are in one registry.
    """

    end: Target
    tag: str | None = None
    expected: Digest | None = None
    mount_from: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a goal stands before the copy: reached already, or why it must not be tried."""

    reached: bool = False
    error: RegimportError | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """The image on its way to one repository, to be put under `tags`, or by digest if none.

    `vacant` says that none of the tags is there yet: the repository may well be new.
    """

    end: Target
    tags: tuple[str, ...] = ()
    mount_from: str | None = None
    vacant: bool = False


def resolve(
    source: Source, reference: str, goals: Sequence[Goal], workers: Workers
) -> tuple[Descriptor, list[Descriptor | RegimportError | None]]:
    """Ask both ends at once: the source what `reference` is, the targets what their tags are.

    Gives the root and, for each goal, what its tag points to: None for nothing, an error where
    asking failed. A goal without a tag is asked about the source's digest, if that is known.
    Raises `NotFound` if the source has no such image.
    """
    pinned = reference if reference.startswith(("sha256:", "sha512:")) else None
    names = [goal.tag or pinned for goal in goals]
    asked = [(goal, name) for goal, name in zip(goals, names, strict=True) if name is not None]

    def ask(number: int) -> Descriptor | RegimportError | None:
        if number < 0:
            return source.head_manifest(reference)
        goal, name = asked[number]
        try:
            return goal.end.head_manifest(name)
        except RegimportError as error:
            return error

    root, *answers = workers.map(ask, range(-1, len(asked)))
    if not isinstance(root, Descriptor):
        separator = "@" if ":" in reference else ":"
        raise NotFound(
            f"the source has no {source.name}{separator}{reference}",
            hint="check the spelling; `regimport tags REPOSITORY` lists what there is",
            status=404,
        ).located(Side.SOURCE, source.name)
    replies = iter(answers)
    return root, [None if name is None else next(replies) for name in names]


def judge(
    goal: Goal, root: Descriptor, current: Descriptor | RegimportError | None, *, no_clobber: bool
) -> Standing:
    """Tell how a goal stands, given what its tag points to now."""
    if goal.expected is not None and goal.expected != root.digest:
        mismatch = ContentMismatch(
            f"the target is pinned to {goal.expected}, but the source is {root.digest}",
            expected=goal.expected,
            got=root.digest,
            hint="nothing was written; leave the digest out of the target, or pin the source",
        )
        return Standing(error=mismatch.located(Side.TARGET, goal.end.name))
    if isinstance(current, RegimportError):
        return Standing(error=current)
    if current is not None and current.digest == root.digest:
        return Standing(reached=True)
    if current is not None and no_clobber:
        exists = TagExists(
            f"{goal.end.name}:{goal.tag} exists already, as {current.digest}",
            hint="nothing was written there; leave --no-clobber out to move the tag",
        )
        return Standing(error=exists.located(Side.TARGET, goal.end.name))
    return Standing()


def deliveries(
    goals: Sequence[Goal],
    standings: Sequence[Standing],
    current: Sequence[Descriptor | RegimportError | None],
) -> list[Delivery]:
    """Group the goals still to be reached by repository: content sent once serves all tags."""
    grouped: dict[str, list[Goal]] = {}
    known: set[str] = set()
    for goal, standing, now in zip(goals, standings, current, strict=True):
        if now is not None:
            known.add(goal.end.name)
        if not standing.reached and standing.error is None:
            grouped.setdefault(goal.end.name, []).append(goal)
    return [
        Delivery(
            group[0].end,
            tuple(dict.fromkeys(goal.tag for goal in group if goal.tag is not None)),
            group[0].mount_from,
            vacant=name not in known,
        )
        for name, group in grouped.items()
    ]
