"""The public functions that copy many images in one run: a list, or tags of a repository."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from regimport.credentials.keychain import check_one_registry
from regimport.engine.many import ImageReport, ManyReport
from regimport.engine.tag_filter import TagFilter
from regimport.errors import InvalidOptions, InvalidReference, NotFound, Side
from regimport.events import Reporter, Silent
from regimport.models.credential import Credential
from regimport.models.reference import (
    AnyReference,
    Reference,
    parse_end,
    target_of,
    with_default_tag,
)
from regimport.opening import running
from regimport.operations import Job, as_heard, run_copies
from regimport.options import CopyOptions
from regimport.run import Run

if TYPE_CHECKING:
    import httpx

__all__ = ["copy_many", "copy_tags"]

_DEFAULTS = CopyOptions()
_SILENT = Silent()
# So many images are copied at the same time, by the threads that they share.
_AT_ONCE = 8
# So many tags are named where none matches.
_NAMED_TAGS = 10

_Finished = Callable[[ImageReport], object]


def copy_many(
    pairs: Iterable[tuple[str, str]],
    *,
    options: CopyOptions = _DEFAULTS,
    source_credential: Credential | None = None,
    target_credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
    finished: _Finished = lambda _: None,
) -> ManyReport:
    """Copy images, each a pair of a source and a target, several of them at the same time.

    They share connections, credentials, rate limits and threads. A source that is named more than
    once is read once; a pair that is repeated counts once. `finished` is called with the report of
    each image, in their order, as soon as it and those before it are there. The other parameters
    are those of `copy`.

    An image that fails does not end the others, and its error is not raised: it is in the report.
    Raise `InvalidReference` and `InvalidOptions` before any request, also where two sources are to
    have one target; `DeadlineExceeded` and `Interrupted` at any time.
    """
    jobs = _jobs(pairs)
    images = [(job.origin, *job.wanted) for job in jobs]
    given = source_credential, target_credential
    options = as_heard(options, reporter)
    with _running(options, reporter, images, given, transport, stop) as run:
        return _report(run, jobs, options, finished)


def copy_tags(
    repository: str,
    *targets: str,
    match: Sequence[str] = (),
    exclude: Sequence[str] = (),
    options: CopyOptions = _DEFAULTS,
    source_credential: Credential | None = None,
    target_credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
    finished: _Finished = lambda _: None,
) -> ManyReport:
    """Copy tags of a repository to others, under the same names; each blob is sent once.

    `match` and `exclude` are globs, as for `tags`; without them, all tags are copied. The other
    parameters, and what is raised, are those of `copy_many`; also `InvalidReference` for a
    reference with a tag or a digest, `NotFound` if there is no such tag, and what `tags` raises.
    """
    origin = parse_end(repository)
    places = [target_of(target, origin) for target in targets]
    for text, place in zip((repository, *targets), (origin, *places), strict=True):
        if place.tag is not None or place.digest is not None:
            raise InvalidReference(
                f"{text!r} names an image, but tags are copied from repository to repository",
                hint=f"write {place.name}",
            )
    if not places:
        raise InvalidOptions("a copy needs a target", hint="name one after the source")
    wanted = TagFilter(tuple(match), tuple(exclude))
    given = source_credential, target_credential
    options = as_heard(options, reporter)
    with _running(options, reporter, [(origin, *places)], given, transport, stop) as run:
        jobs = [
            Job(origin.tagged(tag), tuple(place.tagged(tag) for place in places))
            for tag in _selected(run, origin, wanted)
        ]
        return _report(run, jobs, options, finished)


@contextmanager
def _running(
    options: CopyOptions,
    reporter: Reporter,
    images: Sequence[Sequence[AnyReference]],
    given: tuple[Credential | None, Credential | None],
    transport: httpx.BaseTransport | None,
    stop: threading.Event | None,
) -> Iterator[Run]:
    """Open a run that all images share; credentials that are given are for one registry a side."""
    source, target = given
    sources = [places[0].registry for places in images if isinstance(places[0], Reference)]
    targets = [
        place.registry for places in images for place in places[1:] if isinstance(place, Reference)
    ]
    check_one_registry(Side.SOURCE, sources, source, os.environ)
    check_one_registry(Side.TARGET, targets, target, os.environ)
    with running(
        options,
        reporter,
        images=images,
        source=source,
        target=target,
        transport=transport,
        stop=stop,
        writing=True,
    ) as run:
        yield run


def _report(run: Run, jobs: Sequence[Job], options: CopyOptions, finished: _Finished) -> ManyReport:
    started, images = time.monotonic(), []
    for image in run_copies(run, jobs, options, min(options.jobs or _AT_ONCE, _AT_ONCE)):
        finished(image)
        images.append(image)
    return ManyReport(tuple(images), time.monotonic() - started, options.dry_run)


def _jobs(pairs: Iterable[tuple[str, str]]) -> list[Job]:
    """Return a job for each source, with all its targets; raise `InvalidOptions` for conflicts."""
    jobs: dict[AnyReference, dict[AnyReference, None]] = {}
    sources: dict[AnyReference, AnyReference] = {}
    for source, target in pairs:
        origin = with_default_tag(parse_end(source))
        wanted = target_of(target, origin)
        jobs.setdefault(origin, {})[wanted] = None
        if wanted.tag is None:
            continue
        first = sources.setdefault(wanted.tagged(wanted.tag), origin)
        if first != origin:
            raise InvalidOptions(
                f"two images are to have the target {wanted}: {first} and {origin}",
                hint="nothing was copied; give each its own target",
            )
    return [Job(origin, tuple(wanted)) for origin, wanted in jobs.items()]


def _selected(run: Run, origin: AnyReference, wanted: TagFilter) -> list[str]:
    """Return the tags that are wanted; raise `NotFound`, with what there is, if there are none."""
    pages = run.workers.iterate(run.source(origin).tag_pages())
    there = [tag for page in pages for tag in page]
    found = wanted.select(there)
    if found:
        return list(dict.fromkeys(found))
    if not there:
        raise NotFound(f"{origin.name} has no tags").located(Side.SOURCE, origin.name)
    more = f" and {len(there) - _NAMED_TAGS} more" if len(there) > _NAMED_TAGS else ""
    raise NotFound(
        f"no tag of {origin.name} matches; there are {', '.join(there[:_NAMED_TAGS])}{more}",
        hint="patterns are globs: v1.* is every tag that begins with v1.",
    ).located(Side.SOURCE, origin.name)
