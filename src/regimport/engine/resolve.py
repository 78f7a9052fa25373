"""Tags become digests: once for the source, and what each target tag points to now."""

from __future__ import annotations

from dataclasses import dataclass

from regimport.engine.ends import Source, Target
from regimport.errors import ContentMismatch, NotFound, RegimportError, Side, TagExists
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest

__all__ = ["Delivery", "resolve", "standing"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """An image to be brought to one target repository, under some tags.

    No tags: it is put by digest alone. `expected` is the digest the user pinned the target to.
    `mount_from` is the source's repository where both are in one registry.
    """

    end: Target
    tags: tuple[str, ...] = ()
    expected: Digest | None = None
    mount_from: str | None = None


def resolve(source: Source, reference: str) -> Descriptor:
    """Turn the source's tag or digest into a descriptor, with one HEAD; raises `NotFound`."""
    root = source.head_manifest(reference)
    if root is None:
        separator = "@" if ":" in reference else ":"
        raise NotFound(
            f"the source has no {source.name}{separator}{reference}",
            hint="check the spelling; `regimport tags` lists what a repository has",
            status=404,
        ).located(Side.SOURCE, source.name)
    return root


def standing(
    delivery: Delivery, tag: str | None, root: Descriptor, *, no_clobber: bool
) -> tuple[bool, RegimportError | None]:
    """Tell how one target tag stands: done already, or why it may not be written.

    Without a tag it is asked whether the digest is there.
    """
    if delivery.expected is not None and delivery.expected != root.digest:
        return False, ContentMismatch(
            f"the target is pinned to {delivery.expected}, but the source is {root.digest}",
            expected=delivery.expected,
            got=root.digest,
            hint="nothing was written; leave the digest out of the target, or pin the source",
        )
    current = delivery.end.head_manifest(tag or root.digest)
    if current is None:
        return False, None
    if current.digest == root.digest:
        return True, None
    if no_clobber:
        return False, TagExists(
            f"{delivery.end.name}:{tag} exists already, as {current.digest}",
            hint="nothing was written; leave --no-clobber out to move the tag",
        )
    return False, None
