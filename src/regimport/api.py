"""The public functions: they join the ends, the engine and the report.

`_copy` lists the steps of a copy in their order.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from regimport.engine.limits import check_limits
from regimport.engine.plan import make_plans
from regimport.engine.report import Report, target_reports
from regimport.engine.resolve import resolve
from regimport.engine.target import TargetCopy
from regimport.engine.walk import walk
from regimport.errors import ContentMismatch, InvalidOptions, InvalidReference, Side
from regimport.events import Reporter, Resolved, Silent
from regimport.models.credential import Credential
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.lookalikes import check_is_text
from regimport.models.manifest import Manifest
from regimport.models.reference import (
    LayoutReference,
    Reference,
    parse_end,
    target_of,
    with_default_tag,
)
from regimport.options import CopyOptions
from regimport.run import Run, running, selector

if TYPE_CHECKING:
    import httpx

    from regimport.engine.differences import ReadBack, Verification
    from regimport.engine.examine import Inspection

__all__ = ["copy", "digest", "inspect", "manifest", "tags", "verify"]

_DEFAULTS = CopyOptions()
_SILENT = Silent()
_Place: TypeAlias = Reference | LayoutReference


def copy(
    source: str,
    *targets: str | Sequence[str],
    check: bool = True,
    options: CopyOptions = _DEFAULTS,
    source_credential: Credential | None = None,
    target_credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> Report:
    """Copy an image from one registry to others, every platform of it, digests unchanged.

    `source` and `targets` are references as on the command line. Credentials that are not given
    are looked for in the environment and where Docker and podman keep them. `transport` carries
    all requests, if it is given, and is not closed. `targets` may also be lists. `stop`, if it is
    given, ends the copy with `Interrupted` within two seconds of being set, by any thread.

    Errors of the source are raised. So is the error of the only target, unless `check` is false;
    of several targets the others go on, and the report tells which failed. Raise
    `InvalidReference` and `InvalidOptions` before any request; `LimitExceeded` before
    anything is written; `NotFound`, `AccessDenied`, `Unreachable`, `RateLimited`,
    `InvalidManifest` and `ContentMismatch`; `TagExists` for a target; `DeadlineExceeded` at any
    time, if there is a deadline.

    No signal handler is installed. A `KeyboardInterrupt` in the calling thread ends the copy within
    two seconds, its uploads cancelled, and is raised on as it is.
    """
    origin = with_default_tag(parse_end(source))
    wanted = [target_of(target, origin) for target in _flat(targets)]
    if not wanted:
        raise InvalidOptions("a copy needs a target", hint="regimport copy SOURCE TARGET...")
    given = {"source": source_credential, "target": target_credential}
    writing = not options.dry_run
    with running(
        options,
        reporter,
        [origin, *wanted],
        **given,
        transport=transport,
        stop=stop,
        writing=writing,
    ) as run:
        report = _copy(run, origin, wanted, options)
    if check and len(wanted) == 1:
        report.raise_for_failure()
    return report


def _flat(targets: Iterable[str | Sequence[str]]) -> Iterator[str]:
    """Yield the targets one by one, of which some may be lists of targets."""
    for target in targets:
        if isinstance(target, str):
            yield target
        elif hasattr(target, "__iter__"):
            yield from target
        else:
            check_is_text(target)


def _copy(run: Run, origin: _Place, wanted: Sequence[_Place], options: CopyOptions) -> Report:
    started, bytes_read = time.monotonic(), 0
    source, workers = run.source(origin), run.workers
    reference, copies = run.selector(source, origin), run.targets(wanted, origin)
    root, copies = resolve(source, reference, workers, copies, no_clobber=options.no_clobber)
    run.choose_jobs()
    run.reporter.tell(Resolved(str(origin), root))
    settled = [copy for copy in copies if not copy.pending]
    pending = [copy for copy in copies if copy.pending]
    if pending:
        run.open_connections(root)
        graph, pending = make_plans(
            source,
            root,
            pending,
            workers,
            run.reporter,
            exact=options.dry_run,
            largest=options.limits.max_layer_size,
        )
        root = graph.root
        check_limits(graph, options.limits)
        run.choose_jobs()
        if not options.dry_run:
            from regimport.engine.transfer import transfer  # noqa: PLC0415 - a dry run needs none of it

            result = transfer(source, graph, pending, run.retry)
            pending, bytes_read = list(result.targets), result.bytes_read
    copies = settled + pending
    if options.verify and not options.dry_run:
        copies = _verified(run, wanted, copies, root)
    quota = run.quota(origin)
    return Report(
        source=str(origin.pinned(root.digest)),
        root=root,
        targets=target_reports(wanted, copies, root),
        duration=time.monotonic() - started,
        bytes_read=bytes_read,
        dry_run=options.dry_run,
        jobs=workers.jobs,
        round_trip=run.round_trip,
        pulls=quota.pulls,
        rate_limit=quota.limit,
    )


def _verified(
    run: Run, wanted: Sequence[_Place], copies: Sequence[TargetCopy], root: Descriptor
) -> list[TargetCopy]:
    """Return the copies with what was found when they were read back."""
    from regimport.engine.verify import verify_targets  # noqa: PLC0415 - most copies do without

    ends = {place.name: run.source(place, Side.TARGET) for place in wanted}
    return verify_targets(copies, ends, root, run.retry)


def verify(
    source: str,
    target: str,
    *,
    target_only: bool = False,
    options: CopyOptions = _DEFAULTS,
    source_credential: Credential | None = None,
    target_credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> Verification:
    """Read an image back at both ends, hash all of it, and return what differs.

    The source says which image it is; `target_only` reads no more of it than that. The target's
    tag must point to that image. A part that is missing or different is not an error: the
    `differences` of the result name it. Raise what `copy` raises for its source, for both ends.
    `transport` and `stop` are those of `copy`.
    """
    from regimport.engine.differences import Verification  # noqa: PLC0415 - a copy needs none

    started = time.monotonic()
    origin = with_default_tag(parse_end(source))
    wanted = target_of(target, origin)
    with running(
        options,
        reporter,
        [origin, wanted],
        source=source_credential,
        target=target_credential,
        transport=transport,
        stop=stop,
    ) as run:
        root, found = _read_back(run, origin, wanted, target_only=target_only)
    return Verification(
        str(origin.pinned(root.digest)),
        str(wanted.pinned(root.digest)),
        root,
        tuple(found),
        time.monotonic() - started,
    )


def _read_back(
    run: Run, origin: _Place, wanted: _Place, *, target_only: bool
) -> tuple[Descriptor, list[ReadBack]]:
    """Resolve the source, and read the image back: at the source, if wanted, and at the target."""
    from regimport.engine.verify import Place, read_back  # noqa: PLC0415 - a copy needs none

    end = run.source(origin)
    root, _ = resolve(end, run.selector(end, origin), run.workers)
    if wanted.digest not in {None, root.digest}:
        raise ContentMismatch(
            f"the target is {wanted.digest}, but the source is {root.digest}",
            expected=root.digest,
            got=wanted.digest,
        ).located(Side.TARGET, wanted.name)
    run.choose_jobs()
    tags = () if wanted.tag is None else (wanted.tag,)
    places = [Place(run.source(wanted, Side.TARGET), Side.TARGET, tags)]
    if not target_only:
        places.insert(0, Place(end, Side.SOURCE))
    return root, read_back(places, root, run.retry)


def inspect(
    reference: str,
    *,
    options: CopyOptions = _DEFAULTS,
    credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> Inspection:
    """Read an image's manifests, and return what it is made of and which limits it exceeds.

    Raise what `copy` raises for its source. `transport` and `stop` are those of `copy`.
    """
    from regimport.engine.configs import read_configs  # noqa: PLC0415 - a copy needs none of it
    from regimport.engine.examine import examine  # noqa: PLC0415

    place = with_default_tag(parse_end(reference))
    with running(
        options, reporter, [place], source=credential, transport=transport, stop=stop
    ) as run:
        workers, end = run.workers, run.source(place)
        root, _ = resolve(end, selector(place), workers)
        run.choose_jobs()
        largest = options.limits.max_layer_size
        graph, _ = walk(end, root, workers, run.reporter, largest=largest)
        if options.platforms:
            from regimport.engine.platforms import only  # noqa: PLC0415 - where some are wanted

            graph = workers.call(partial(only, end, graph, options.platforms, run.retry))
        configs = read_configs(end, graph, workers)
    return examine(str(place.pinned(root.digest)), graph, options.limits, configs)


def manifest(
    reference: str,
    *,
    options: CopyOptions = _DEFAULTS,
    credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> Manifest:
    """Read one manifest or index, byte for byte; raise what `copy` raises for its source.

    `transport` and `stop` are those of `copy`.
    """
    place = with_default_tag(parse_end(reference))
    with running(
        options, reporter, [place], source=credential, transport=transport, stop=stop
    ) as run:
        end = run.source(place)
        wanted = run.selector(end, place)
        return run.workers.call(partial(end.get_manifest, wanted))


def digest(
    reference: str,
    *,
    options: CopyOptions = _DEFAULTS,
    credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> Digest:
    """Ask what a tag points to, with one HEAD; raise what `copy` raises for its source.

    `transport` and `stop` are those of `copy`.
    """
    place = with_default_tag(parse_end(reference))
    with running(
        options, reporter, [place], source=credential, transport=transport, stop=stop
    ) as run:
        end = run.source(place)
        root, _ = resolve(end, run.selector(end, place), run.workers)
    return root.digest


def tags(
    repository: str,
    *,
    options: CopyOptions = _DEFAULTS,
    credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> Iterator[str]:
    """Yield the tags of a repository, page by page, in the registry's order.

    Raise `InvalidReference`, also for a reference with a tag or a digest, and what `copy` raises
    for its source. `transport` and `stop` are those of `copy`.
    """
    place = parse_end(repository)
    if place.tag is not None or place.digest is not None:
        raise InvalidReference(
            f"{repository!r} names an image, but a repository is expected", hint=f"try {place.name}"
        )
    with running(
        options, reporter, [place], source=credential, transport=transport, stop=stop
    ) as run:
        for page in run.workers.iterate(run.source(place).tag_pages()):
            yield from page
