"""What is known of an image that its target imports by itself: before, and afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from regimport.engine.ends import Source
from regimport.engine.limits import check_count, check_limits
from regimport.engine.report import TargetReport
from regimport.engine.resolve import resolve
from regimport.engine.target import Status
from regimport.engine.walk import walk
from regimport.engine.workers import Workers
from regimport.errors import (
    AccessDenied,
    ContentMismatch,
    RateLimited,
    RegimportError,
    Side,
    TagExists,
    Unreachable,
)
from regimport.events import Reporter, Resolved, Warned
from regimport.models.descriptor import Descriptor
from regimport.models.reference import AnyReference, Reference
from regimport.options import CopyOptions
from regimport.values import dataclass

__all__ = ["Asked", "Opening", "confirmed", "judged", "read_source", "reports"]


class Opening(Protocol):
    """The part of a run that opens ends, and asks them."""

    workers: Workers
    reporter: Reporter

    def source(self, place: AnyReference, side: Side = Side.SOURCE) -> Source:
        """Open an end for reading."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One target of an import, and what became of it; `confirmed` as in a report."""

    reference: Reference
    status: Status = Status.PLANNED
    error: RegimportError | None = None
    confirmed: bool = False

    @property
    def pending(self) -> bool:
        """Whether the image is still to be imported there."""
        return self.status is Status.PLANNED

    def ended(self, error: RegimportError | None) -> Asked:
        """Return the target after the import, which may have failed."""
        status = Status.COPIED if error is None else Status.FAILED
        return replace(self, status=status, error=error)


def read_source(
    end: Source, run: Opening, origin: Reference, options: CopyOptions
) -> Descriptor | None:
    """Read the image's manifests, and check the limits on them; return its root.

    Return None, after a warning, where the source cannot be read from here: the target may be able
    to. If only its limits cannot be checked, a warning says so. Raise `LimitExceeded`, and
    `NotFound` where the source has no such image.
    """
    limits = options.limits
    root: Descriptor | None = None
    try:
        root, _ = resolve(end, origin.digest or origin.tag or "", run.workers)
        run.reporter.tell(Resolved(str(origin), root))
        graph, _ = walk(
            end,
            root,
            run.workers,
            run.reporter,
            largest=limits.max_layer_size,
            check=partial(check_count, limits=limits),
        )
    except (AccessDenied, RateLimited, Unreachable) as error:
        tag = "" if origin.digest or root else ", and its tag may move while it is imported"
        message = f"{origin.name} cannot be read from here, so that its limits are not checked{tag}"
        run.reporter.tell(Warned(f"{message}: {error.message.splitlines()[0]}"))
        return root
    check_limits(graph, limits)
    return graph.root


def judged(
    run: Opening,
    origin: Reference,
    wanted: Sequence[Reference],
    root: Descriptor | None,
    *,
    no_clobber: bool,
) -> list[Asked]:
    """Return the targets; those that have the image, or must not be tried, say so.

    Where a target cannot be read from here, the import finds out.
    """
    now = [_seen(run, target) for target in wanted]
    return [
        _judged(target, root or _known(origin), seen, no_clobber=no_clobber)
        for target, seen in zip(wanted, now, strict=True)
    ]


def _known(origin: Reference) -> Descriptor | None:
    """Return what a source that cannot be read points to, if it was named by digest."""
    return None if origin.digest is None else Descriptor("", origin.digest, 0)


def _seen(run: Opening, target: Reference) -> Descriptor | RegimportError | None:
    """Return what a target points to now; an error where that cannot be found out."""
    if target.tag is None and target.digest is None:
        return None
    try:
        end = run.source(target, Side.TARGET)
        return run.workers.call(partial(end.head_manifest, target.tag or str(target.digest)))
    except (AccessDenied, RateLimited, Unreachable) as error:
        return error


def _judged(
    target: Reference,
    root: Descriptor | None,
    now: Descriptor | RegimportError | None,
    *,
    no_clobber: bool,
) -> Asked:
    asked = Asked(target)
    if target.digest is not None and (root is None or root.digest != target.digest):
        is_what = "cannot be read" if root is None else f"is {root.digest}"
        error = ContentMismatch(
            f"the target is to be {target.digest}, but the source {is_what}",
            expected=target.digest,
            got=None if root is None else root.digest,
        )
        return asked.ended(error.located(Side.TARGET, target.name))
    if not isinstance(now, Descriptor) or root is None:
        return asked
    if now.digest == root.digest:
        return replace(asked, status=Status.PRESENT, confirmed=True)
    if no_clobber and target.tag is not None:
        return asked.ended(
            TagExists(
                f"the tag {target.tag} exists, and points to {now.digest}",
                hint="leave out `no_clobber` to move it",
            ).located(Side.TARGET, target.name)
        )
    return asked


def confirmed(
    run: Opening, asked: Sequence[Asked], root: Descriptor | None
) -> tuple[Descriptor | None, list[Asked]]:
    """Look whether the targets show what they have imported; return the root too, if it is known.

    A target that cannot be read from here stays unconfirmed.
    """
    found = []
    for each in asked:
        target = each.reference
        if each.status is not Status.COPIED:
            found.append(each)
            continue
        wanted = target if target.tag or root is None else target.pinned(root.digest)
        now = _seen(run, wanted)
        if isinstance(now, Descriptor):
            root = root or now
        found.append(_confirmed(each, now, root))
    return root, found


def _confirmed(
    each: Asked, now: Descriptor | RegimportError | None, root: Descriptor | None
) -> Asked:
    if not isinstance(now, Descriptor) or root is None:
        return each
    if now.digest == root.digest:
        return replace(each, confirmed=True)
    error = ContentMismatch(
        f"the registry has imported the image, but {each.reference} is {now.digest}",
        expected=root.digest,
        got=now.digest,
        hint="another tool may have moved the tag meanwhile; import it again",
    )
    return each.ended(error.located(Side.TARGET, each.reference.name))


def reports(asked: Sequence[Asked], root: Descriptor | None) -> tuple[TargetReport, ...]:
    """Return the report of each target, in their order."""
    return tuple(
        TargetReport(
            reference=str(each.reference.tagged(each.reference.tag)),
            tag=each.reference.tag,
            status=each.status,
            pinned=str(each.reference if root is None else each.reference.pinned(root.digest)),
            error=each.error,
            confirmed=each.confirmed,
        )
        for each in asked
    )
