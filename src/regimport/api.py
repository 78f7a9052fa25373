"""The public functions: they join the ends, the engine and the report.

The steps of a copy stand here, in their order.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from regimport.connect import Ends
from regimport.credentials.keychain import Keychain
from regimport.engine.differences import Verification
from regimport.engine.ends import Source
from regimport.engine.examine import Inspection, examine
from regimport.engine.limits import check_limits
from regimport.engine.pace import FEWEST_JOBS, connections_ahead, jobs_for, most_jobs
from regimport.engine.plan import make_plan
from regimport.engine.platforms import choose, only
from regimport.engine.reading import Patience
from regimport.engine.report import Report, target_reports
from regimport.engine.resolve import deliveries, judge, resolve
from regimport.engine.transfer import transfer
from regimport.engine.verify import Place, read_back, verify_targets
from regimport.engine.walk import walk
from regimport.engine.workers import Workers
from regimport.errors import ContentMismatch, InvalidOptions, InvalidReference, Side
from regimport.events import Reporter, Resolved, Silent, Warned
from regimport.models.credential import Credential
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.reference import (
    LayoutReference,
    Reference,
    parse_end,
    target_of,
    with_default_tag,
)
from regimport.options import CopyOptions

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
    keychain = _keychain(source_credential, target_credential, options, reporter)
    most = _most_jobs(options, origin, *wanted)
    with (
        _workers(options, most) as workers,
        Ends(options, keychain, reporter, workers.stop) as ends,
    ):
        end = ends.source(origin)
        goals = [ends.goal(target, origin) for target in wanted]
        asked = _chosen(end, origin, options, workers, reporter)
        root, current = resolve(end, asked, goals, workers)
        _pace(workers, ends, options, most)
        reporter.tell(Resolved(str(origin), root))
        standings = [
            judge(goal, root, now, no_clobber=options.no_clobber)
            for goal, now in zip(goals, current, strict=True)
        ]
        sent = deliveries(goals, standings, current)
        plan, result = None, None
        if sent:
            ahead = ends.ahead(connections_ahead(root, workers.jobs, ends.round_trip))
            plan = make_plan(
                end,
                root,
                sent,
                workers,
                exact=options.dry_run,
                ahead=ahead,
                expect=ends.foresee(origin),
            )
            check_limits(plan.graph, options.limits)
            _pace(workers, ends, options, most)
            if not options.dry_run:
                result = transfer(plan, end, sent, workers, reporter, options.retry)
        reports = target_reports(wanted, goals, root, standings, sent, plan, result)
        if options.verify and not options.dry_run:
            written = [ends.source(target, Side.TARGET) for target in wanted]
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
        round_trip=ends.round_trip,
        pulls=ends.quota(origin).pulls,
        rate_limit=ends.quota(origin).limit,
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
    started = time.monotonic()
    origin = with_default_tag(parse_end(source))
    wanted = target_of(target, origin)
    keychain = _keychain(source_credential, target_credential, options, reporter)
    most = _most_jobs(options, origin, wanted)
    with (
        _workers(options, most) as workers,
        Ends(options, keychain, reporter, workers.stop) as ends,
    ):
        end = ends.source(origin)
        root, _ = resolve(end, _chosen(end, origin, options, workers, reporter), (), workers)
        if wanted.digest not in {None, root.digest}:
            raise ContentMismatch(
                f"the target is {wanted.digest}, but the source is {root.digest}",
                expected=root.digest,
                got=wanted.digest,
            ).located(Side.TARGET, wanted.name)
        _pace(workers, ends, options, most)
        tags = () if wanted.tag is None else (wanted.tag,)
        places = [Place(ends.source(wanted, Side.TARGET), Side.TARGET, tags)]
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
    place = with_default_tag(parse_end(reference))
    keychain = _keychain(credential, None, options, reporter)
    most = _most_jobs(options, place)
    with (
        _workers(options, most) as workers,
        Ends(options, keychain, reporter, workers.stop) as ends,
    ):
        end = ends.source(place)
        root, _ = resolve(end, _asked(place), (), workers)
        _pace(workers, ends, options, most)
        graph = walk(end, root, (), workers)
        if options.platforms:
            patience = Patience(options.retry, workers, reporter)
            (graph,) = workers.map(
                lambda whole: only(end, whole, options.platforms, patience), [graph]
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
    keychain = _keychain(credential, None, options, reporter)
    with Workers(1) as workers, Ends(options, keychain, reporter, workers.stop) as ends:
        end = ends.source(place)
        return end.get_manifest(_chosen(end, place, options, workers, reporter))


def digest(
    reference: str,
    *,
    options: CopyOptions = _DEFAULTS,
    credential: Credential | None = None,
    reporter: Reporter = _SILENT,
) -> Digest:
    """Ask what a tag points to, with one HEAD; raises what `copy` raises for its source."""
    place = with_default_tag(parse_end(reference))
    keychain = _keychain(credential, None, options, reporter)
    with Workers(1) as workers, Ends(options, keychain, reporter, workers.stop) as ends:
        end = ends.source(place)
        root, _ = resolve(end, _chosen(end, place, options, workers, reporter), (), workers)
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
    keychain = _keychain(credential, None, options, reporter)
    with Workers(1) as workers, Ends(options, keychain, reporter, workers.stop) as ends:
        yield from ends.source(place).tags()


def _most_jobs(options: CopyOptions, *ends: Reference | LayoutReference) -> int:
    """Give how much may go on at once at the ends of a copy, each repository being one.

    The mirrors of the source are ends too.
    """
    source, *targets = ends
    places = [source, *{target.name: target for target in targets}.values()]
    registries = [place.registry for place in places if isinstance(place, Reference)]
    if isinstance(source, Reference):
        mirrors = options.network.of(source.registry).mirrors
        registries += [urlsplit(url).netloc for url in mirrors]
    return most_jobs(registries, options.network)


def _workers(options: CopyOptions, most: int) -> Workers:
    return Workers(min(options.jobs or FEWEST_JOBS, most), options.deadline)


def _pace(workers: Workers, ends: Ends, options: CopyOptions, most: int) -> None:
    """Choose how much goes on at once, unless the user has."""
    if options.jobs is None:
        workers.widen(min(jobs_for(ends.round_trip), most))


def _keychain(
    source: Credential | None,
    target: Credential | None,
    options: CopyOptions,
    reporter: Reporter,
) -> Keychain:
    given = {Side.SOURCE: source, Side.TARGET: target}
    return Keychain(
        given, lambda message: reporter.tell(Warned(message)), authfile=options.authfile
    )


def _chosen(
    end: Source,
    place: Reference | LayoutReference,
    options: CopyOptions,
    workers: Workers,
    reporter: Reporter,
) -> str:
    """Give what the source is asked for: a tag or a digest, or the manifest of one platform."""
    asked = _asked(place)
    if not options.platforms:
        return asked
    patience = Patience(options.retry, workers, reporter)
    (chosen,) = workers.map(lambda one: choose(end, one, options.platforms, patience), [asked])
    return chosen.digest


def _asked(reference: Reference | LayoutReference) -> str:
    return reference.digest or reference.tag or ""
