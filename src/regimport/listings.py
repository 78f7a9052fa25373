"""The public functions about repositories: which a registry has, and which tags they have."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from regimport.engine.tag_filter import TagFilter, TagOrder, sort_tags
from regimport.errors import InvalidOptions, Side
from regimport.events import Reporter, Silent
from regimport.models.credential import Credential
from regimport.models.reference import parse_repository, registry_of
from regimport.opening import running
from regimport.options import CopyOptions

if TYPE_CHECKING:
    import httpx

__all__ = ["repositories", "tags"]

_DEFAULTS = CopyOptions()
_SILENT = Silent()


def tags(
    repository: str,
    *,
    match: Sequence[str] = (),
    exclude: Sequence[str] = (),
    sort: TagOrder | None = None,
    newest: int | None = None,
    options: CopyOptions = _DEFAULTS,
    credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> Iterator[str]:
    """Yield the tags of a repository, page by page, in the registry's order.

    `match` and `exclude` are globs: tags that match one of the first, or any if there is none,
    and none of the second. With `sort` or `newest` the whole list is read first; by version, the
    lowest comes first. `newest` keeps that many of the highest versions, and no other tags.

    Raise `InvalidReference`, also for a reference with a tag or a digest, `InvalidOptions` for
    a pattern that no tag can match, and what `copy` raises for its source. `transport` and `stop`
    are those of `copy`.
    """
    place = parse_repository(repository)
    if newest is not None and newest < 1:
        raise InvalidOptions("`newest` is 1 or more")
    wanted = TagFilter(tuple(match), tuple(exclude))
    with running(
        options, reporter, [place], source=credential, transport=transport, stop=stop
    ) as run:
        pages = run.workers.iterate(run.source(place).tag_pages())
        selected = (tag for page in pages for tag in wanted.select(page))
        if sort is None and newest is None:
            yield from selected
        else:
            yield from sort_tags(list(selected), sort, newest)


def repositories(
    registry: str,
    *,
    options: CopyOptions = _DEFAULTS,
    credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> Iterator[str]:
    """Yield the repositories of a registry, page by page, in the registry's order.

    They come from its catalog, which Docker's registry has and the specification does not: Docker
    Hub and others have none, and some show it to administrators alone. Raise `RegistryError` then,
    `InvalidReference` for what is no registry's name, and what `copy` raises for its source.
    `transport` and `stop` are those of `copy`.
    """
    from regimport.registry.catalog import catalog_pages  # noqa: PLC0415 - most need none of it

    host = registry_of(registry)
    with running(options, reporter, source=credential, transport=transport, stop=stop) as run:
        for page in run.workers.iterate(catalog_pages(run.sessions.session(Side.SOURCE, host))):
            yield from page
