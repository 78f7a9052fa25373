"""The public functions that compare images and repositories."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from regimport.engine.compare import Comparison, compare_images, compare_tags
from regimport.engine.tag_filter import TagFilter
from regimport.errors import Side
from regimport.events import Reporter, Silent
from regimport.models.credential import Credential
from regimport.models.digest import Digest
from regimport.models.reference import (
    AnyReference,
    parse_end,
    parse_repository,
    target_of,
    with_default_tag,
)
from regimport.opening import running
from regimport.operations import run_inspection
from regimport.options import CopyOptions
from regimport.run import Run

if TYPE_CHECKING:
    import httpx

__all__ = ["diff", "diff_tags"]

_DEFAULTS = CopyOptions()
_SILENT = Silent()


def diff(
    first: str,
    second: str,
    *,
    options: CopyOptions = _DEFAULTS,
    first_credential: Credential | None = None,
    second_credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> Comparison:
    """Compare two images: platforms, manifests, layers, values of the configuration, sizes.

    `second` without a tag has that of `first`. Layers are compared by digest, and not read. Raise
    what `copy` raises for its source, for both. `transport` and `stop` are those of `copy`.
    """
    origin = with_default_tag(parse_end(first))
    other = with_default_tag(target_of(second, origin))
    with running(
        options,
        reporter,
        [origin, other],
        source=first_credential,
        target=second_credential,
        transport=transport,
        stop=stop,
    ) as run:
        return compare_images(
            run_inspection(run, origin, options),
            run_inspection(run, other, options, Side.TARGET),
        )


def diff_tags(
    first: str,
    second: str,
    *,
    match: Sequence[str] = (),
    exclude: Sequence[str] = (),
    options: CopyOptions = _DEFAULTS,
    first_credential: Credential | None = None,
    second_credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> Comparison:
    """Compare the tags of two repositories: which one lacks, and which have another digest.

    `match` and `exclude` are those of `tags`. It costs a HEAD for each tag. Raise what `tags`
    raises, for both. `transport` and `stop` are those of `copy`.
    """
    origin, other = parse_repository(first), parse_repository(second)
    wanted = TagFilter(tuple(match), tuple(exclude))
    with running(
        options,
        reporter,
        [origin, other],
        source=first_credential,
        target=second_credential,
        transport=transport,
        stop=stop,
    ) as run:
        return compare_tags(
            origin.name,
            other.name,
            _digests(run, origin, Side.SOURCE, wanted),
            _digests(run, other, Side.TARGET, wanted),
        )


def _digests(run: Run, place: AnyReference, side: Side, wanted: TagFilter) -> Mapping[str, Digest]:
    """Return what each wanted tag points to; one that has gone meanwhile is left out."""
    end = run.source(place, side)
    tags = [tag for page in run.workers.iterate(end.tag_pages()) for tag in wanted.select(page)]
    run.choose_jobs()
    found = zip(tags, run.workers.map(end.head_manifest, tags), strict=True)
    return {tag: root.digest for tag, root in found if root is not None}
