"""The public functions: they join the ends, the engine and the report.

The steps of a copy stand here, in their order.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from regimport.engine.concurrency import connections_ahead
from regimport.engine.limits import check_limits
from regimport.engine.plan import make_plan
from regimport.engine.platforms import only
from regimport.engine.report import Report, target_reports
from regimport.engine.resolve import deliveries, judge, resolve
from regimport.engine.transfer import transfer
from regimport.engine.walk import walk
from regimport.errors import ContentMismatch, InvalidOptions, InvalidReference, Side
from regimport.events import Reporter, Resolved, Silent
from regimport.models.credential import Credential
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.reference import (
    parse_end,
    target_of,
    with_default_tag,
)
from regimport.options import CopyOptions
from regimport.run import running, selector

if TYPE_CHECKING:
    from regimport.engine.differences import Verification
    from regimport.engine.examine import Inspection

__all__ = ["copy", "deliver", "digest", "inspect", "manifest", "tags", "verify"]

_DEFAULTS = CopyOptions()
_SILENT = Silent()


def copy(
    source: str,
    *targets: str,
    options: CopyOptions = _DEFAULTS,
    source_credential: Credential | None = None,
    target_credential: Credential | None = None,
    reporter: Reporter = _SILENT,
) -> Report:
    """Copy an image from one registry to others, every platform of it, digests unchanged.

    `source` and `targets` are references as on the command line. Credentials that are not given
    are looked for in the environment and where Docker and podman keep them.

    Raises `InvalidReference` and `InvalidOptions` before anything is asked; `NotFound`,
    `AccessDenied`, `Unreachable`, `RateLimited`, `InvalidManifest` and `ContentMismatch` for the
    source; `LimitExceeded` before anything is written; `DeadlineExceeded` at any time, if there is
    a deadline. With one target, its error is raised too (`TagExists` among them); with several,
    the others go on, and the report tells which failed.

    No signal handler is installed. A `KeyboardInterrupt` in the calling thread ends the copy within
    two seconds, its uploads given back, and is raised on as it is.
    """
    report = deliver(
        source,
        targets,
        options=options,
        source_credential=source_credential,
        target_credential=target_credential,
        reporter=reporter,
    )
    if len(targets) == 1:
        report.raise_for_failure()
    return report


def deliver(
    source: str,
    targets: Sequence[str],
    *,
    options: CopyOptions = _DEFAULTS,
    source_credential: Credential | None = None,
    target_credential: Credential | None = None,
    reporter: Reporter = _SILENT,
) -> Report:
    """Do what `copy` does, but leave every target's failure to the report."""
    if not targets:
        raise InvalidOptions("a copy needs a target", hint="regimport copy SOURCE TARGET...")
    started = time.monotonic()
    origin = with_default_tag(parse_end(source))
    wanted = [target_of(target, origin) for target in targets]
    places = [origin, *wanted]
    given = {"source": source_credential, "target": target_credential}
    writing = not options.dry_run
    with running(options, reporter, places, **given, writing=writing) as run:
        workers = run.workers
        end = run.source(origin)
        goals = [run.goal(target, origin) for target in wanted]
        root, current = resolve(end, run.chosen(end, origin), goals, workers)
        run.pace()
        reporter.tell(Resolved(str(origin), root))
        standings = [
            judge(goal, root, now, no_clobber=options.no_clobber)
            for goal, now in zip(goals, current, strict=True)
        ]
        sent = deliveries(goals, standings, current)
        plan, result = None, None
        if sent:
            ahead = run.sessions.ahead(connections_ahead(root, workers.jobs, run.round_trip))
            plan = make_plan(
                end,
                root,
                sent,
                workers,
                exact=options.dry_run,
                ahead=ahead,
                expect=run.foresee(origin),
            )
            check_limits(plan.graph, options.limits)
            run.pace()
            if not options.dry_run:
                result = transfer(plan, end, sent, workers, reporter, options.retry)
        reports = target_reports(wanted, goals, root, standings, sent, plan, result)
        if options.verify and not options.dry_run:
            from regimport.engine.verify import verify_targets  # noqa: PLC0415 - where it is wanted

            written = [run.source(target, Side.TARGET) for target in wanted]
            reports = verify_targets(reports, written, root, workers, reporter, options.retry)
    return Report(
        source=str(origin.pinned(root.digest)),
        root=root,
        targets=reports,
        duration=time.monotonic() - started,
        bytes_read=result.bytes_read if result else 0,
        dry_run=options.dry_run,
        plan=plan,
        jobs=workers.jobs,
        round_trip=run.round_trip,
        pulls=run.quota(origin).pulls,
        rate_limit=run.quota(origin).limit,
    )


def verify(
    source: str,
    target: str,
    *,
    target_only: bool = False,
    options: CopyOptions = _DEFAULTS,
    source_credential: Credential | None = None,
    target_credential: Credential | None = None,
    reporter: Reporter = _SILENT,
) -> Verification:
    """Read an image back at both ends, hash all of it, and say what is not as it must be.

    The source says which image it is; `target_only` reads no more of it than that. The target's
    tag must point to that image. What is missing or different is no error: the `differences` of
    the result name it. Raises what `copy` raises for its source, for both ends.
    """
    # A copy needs none of this.
    from regimport.engine.differences import Verification  # noqa: PLC0415
    from regimport.engine.verify import Place, read_back  # noqa: PLC0415

    started = time.monotonic()
    origin = with_default_tag(parse_end(source))
    wanted = target_of(target, origin)
    given = {"source": source_credential, "target": target_credential}
    with running(options, reporter, [origin, wanted], **given, writing=False) as run:
        workers = run.workers
        end = run.source(origin)
        root, _ = resolve(end, run.chosen(end, origin), (), workers)
        if wanted.digest not in {None, root.digest}:
            raise ContentMismatch(
                f"the target is {wanted.digest}, but the source is {root.digest}",
                expected=root.digest,
                got=wanted.digest,
            ).located(Side.TARGET, wanted.name)
        run.pace()
        tags = () if wanted.tag is None else (wanted.tag,)
        places = [Place(run.source(wanted, Side.TARGET), Side.TARGET, tags)]
        if not target_only:
            places.insert(0, Place(end, Side.SOURCE))
        found = read_back(places, root, workers, reporter, options.retry)
    return Verification(
        str(origin.pinned(root.digest)),
        str(wanted.pinned(root.digest)),
        root,
        tuple(found),
        time.monotonic() - started,
    )


def inspect(
    reference: str,
    *,
    options: CopyOptions = _DEFAULTS,
    credential: Credential | None = None,
    reporter: Reporter = _SILENT,
) -> Inspection:
    """Read an image's manifests, and say what it is made of and whether it keeps the limits.

    Raises what `copy` raises for its source.
    """
    from regimport.engine.examine import examine  # noqa: PLC0415 - a copy needs none of it

    place = with_default_tag(parse_end(reference))
    with running(options, reporter, [place], source=credential) as run:
        workers, end = run.workers, run.source(place)
        root, _ = resolve(end, selector(place), (), workers)
        run.pace()
        graph = walk(end, root, (), workers)
        if options.platforms:
            (graph,) = workers.map(
                lambda whole: only(end, whole, options.platforms, run.patience), [graph]
            )
    return examine(str(place.pinned(root.digest)), graph, options.limits)


def manifest(
    reference: str,
    *,
    options: CopyOptions = _DEFAULTS,
    credential: Credential | None = None,
    reporter: Reporter = _SILENT,
) -> Manifest:
    """Read one manifest or index, byte for byte; raises what `copy` raises for its source."""
    place = with_default_tag(parse_end(reference))
    with running(options, reporter, [place], source=credential) as run:
        end = run.source(place)
        return end.get_manifest(run.chosen(end, place))


def digest(
    reference: str,
    *,
    options: CopyOptions = _DEFAULTS,
    credential: Credential | None = None,
    reporter: Reporter = _SILENT,
) -> Digest:
    """Ask what a tag points to, with one HEAD; raises what `copy` raises for its source."""
    place = with_default_tag(parse_end(reference))
    with running(options, reporter, [place], source=credential) as run:
        end = run.source(place)
        root, _ = resolve(end, run.chosen(end, place), (), run.workers)
    return root.digest


def tags(
    repository: str,
    *,
    options: CopyOptions = _DEFAULTS,
    credential: Credential | None = None,
    reporter: Reporter = _SILENT,
) -> Iterator[str]:
    """List the tags of a repository, page by page, in the registry's order.

    Raises `InvalidReference`, also for a reference with a tag or a digest, and what `copy` raises
    for its source.
    """
    place = parse_end(repository)
    if place.tag is not None or place.digest is not None:
        raise InvalidReference(
            f"{repository!r} names an image; a repository is wanted", hint=f"try {place.name}"
        )
    with running(options, reporter, [place], source=credential) as run:
        yield from run.source(place).tags()
