"""One target of a copy as a value, from its name to the result."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from regimport.engine.ends import Target
from regimport.engine.steps import Plan
from regimport.engine.tally import Tally
from regimport.errors import RegimportError
from regimport.models.digest import Digest
from regimport.models.reference import AnyReference, Reference
from regimport.values import dataclass, field

if TYPE_CHECKING:
    from regimport.engine.differences import ReadBack

__all__ = ["Status", "TargetCopy", "mountable_repository"]


class Status(StrEnum):
    """The state of a copy to a target; `planned` until something was done there."""

    COPIED = "copied"
    PRESENT = "present"
    PLANNED = "planned"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class TargetCopy:
    """The copy of an image to one repository; each step of the engine returns an updated one.

    `references` are the targets as the user named them: several tags of one repository share a
    copy once it is known that they do not point to the image. `mount_from` is the source's
    repository where both are in one registry. `has_no_tags` is true if none of the tags exists yet:
    the repository may well be new. `existing` are the manifests of the image that it has. `plan` is
    None until one was made, `verification` unless the image was read back. `unconfirmed` are the
    tags, or the digest, that were put, and that the target does not show. `examined` is whether
    all that the target has of the image is looked at, and sent anew where it is wrong. `backups`
    are tags that moved, each with the tag that keeps its old image.
    """

    end: Target
    references: tuple[AnyReference, ...]
    mount_from: str | None = None
    status: Status = Status.PLANNED
    error: RegimportError | None = None
    has_no_tags: bool = False
    existing: frozenset[Digest] = frozenset()
    plan: Plan | None = None
    tally: Tally = field(default_factory=Tally)
    verification: ReadBack | None = None
    unconfirmed: frozenset[str] = frozenset()
    examined: bool = False
    backups: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The repository, as messages name it: `registry/repository` or `oci:path`."""
        return self.end.name

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags to be set, each once; none if the image is put by digest alone."""
        tags = (reference.tag for reference in self.references)
        return tuple(dict.fromkeys(tag for tag in tags if tag is not None))

    @property
    def expected(self) -> Digest | None:
        """The digest that the user pinned the target to."""
        return self.references[0].digest

    @property
    def holds_parts(self) -> bool:
        """Whether the repository may have some of the image already."""
        return bool(self.existing) or not self.has_no_tags

    @property
    def pending(self) -> bool:
        """Whether the image is still to be copied there."""
        return self.status is Status.PLANNED

    def failed(self, error: RegimportError) -> TargetCopy:
        """Return the copy as one that failed."""
        return replace(self, status=Status.FAILED, error=error)


def mountable_repository(target: AnyReference, source: AnyReference) -> str | None:
    """Return the repository that blobs may be mounted from: the source's, in the same registry."""
    if not isinstance(target, Reference) or not isinstance(source, Reference):
        return None
    same = target.registry == source.registry and target.repository != source.repository
    return source.repository if same else None
