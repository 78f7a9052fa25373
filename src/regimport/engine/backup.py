"""Keeps the old image of a tag under another one, before the tag moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from regimport.engine.ends import Target
from regimport.engine.publish import Publisher
from regimport.engine.target import TargetCopy
from regimport.engine.workers import Workers
from regimport.errors import RegimportError, Side, TagExists
from regimport.models.backup import BackupNames
from regimport.models.digest import Digest

__all__ = ["keep_old", "plan_backups"]


def plan_backups(
    copies: Sequence[TargetCopy], root: Digest, names: BackupNames, workers: Workers
) -> list[TargetCopy]:
    """Return the copies with the backups that they need, as their tags are now; write nothing.

    A copy of which a backup would overwrite another image has failed.
    """
    return workers.map(partial(_planned, root=root, names=names), copies)


def keep_old(
    end: Target, tag: str, root: Digest, names: BackupNames, publisher: Publisher
) -> str | None:
    """Put what a tag points to under its other name, and return that.

    None: the tag does not exist, or points to the image `root` already. Raise `TagExists` if the
    name has another image, or the target does not say what the tag is.
    """
    found = _backup_of(end, tag, root, names)
    if found is None:
        return None
    name, old, exists = found
    if not exists:
        manifest = end.get_manifest(old)
        end.put_manifest(manifest, name)
        publisher.confirm(end, manifest, name)
    return name


def _planned(copy: TargetCopy, root: Digest, names: BackupNames) -> TargetCopy:
    if not copy.pending:
        return copy
    kept: dict[str, Digest] = {}
    backups: list[tuple[str, str]] = []
    try:
        for tag in copy.tags:
            found = _backup_of(copy.end, tag, root, names)
            if found is None:
                continue
            name, old, _ = found
            if kept.setdefault(name, old) != old:
                raise _other_image(copy.end, tag, name, kept[name])
            backups.append((tag, name))
    except RegimportError as error:
        return copy.failed(error)
    return replace(copy, backups=tuple(backups))


def _backup_of(
    end: Target, tag: str, root: Digest, names: BackupNames
) -> tuple[str, Digest, bool] | None:
    """Return the name for the old image of a tag, its digest, and whether the name has it."""
    old = _find(end, tag)
    if old is None or old == root:
        return None
    name = names.name(tag, old)
    exists = _find(end, name)
    if exists not in {None, old}:
        raise _other_image(end, tag, name, exists)
    return name, old, exists is not None


def _find(end: Target, tag: str) -> Digest | None:
    try:
        found = end.find_tag(tag)
    except TagExists as error:
        error.hint = "nothing was written there; leave `backup` out to move the tag all the same"
        raise
    return None if found is None else found.digest


def _other_image(end: Target, tag: str, name: str, other: Digest | None) -> TagExists:
    return TagExists(
        f"{end.name}:{name}, where the old image of {tag} is to be kept, has another one: {other}",
        hint="the tag was not moved; use {time} or {digest} in `backup` to tell them apart",
    ).located(Side.TARGET, end.name)
