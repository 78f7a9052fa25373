"""What a copy and a verification do in a run, step by step in their order."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from regimport.engine.ends import BlobSource, Source
from regimport.engine.naming import NamedBySha256
from regimport.engine.report import Report, target_reports
from regimport.engine.resolve import ask, resolve, settle
from regimport.engine.steps import Action
from regimport.engine.target import Status, TargetCopy, mountable_repository
from regimport.errors import (
    ContentMismatch,
    DeadlineExceeded,
    Interrupted,
    RegimportError,
    Side,
)
from regimport.events import ImageFinished, Reporter, Resolved, Silent, Warned
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.reference import AnyReference, Reference
from regimport.options import ALL_REFERRERS, CopyOptions
from regimport.run import Run, selector
from regimport.values import dataclass

if TYPE_CHECKING:
    from regimport.engine.differences import ReadBack
    from regimport.engine.examine import Inspection
    from regimport.engine.many import ImageReport
    from regimport.engine.referrer_tree import ReferrerTree
    from regimport.engine.subset import Subset
    from regimport.engine.walk import Graph
    from regimport.models.backup import BackupNames
    from regimport.models.referrers import Referrers

__all__ = ["Job", "as_heard", "run_copies", "run_copy", "run_inspection", "run_verification"]


# How many of the things that are left behind are named.
_NAMED = 4


@dataclass(frozen=True, slots=True)
class Job:
    """One image to copy, and where to."""

    origin: AnyReference
    wanted: tuple[AnyReference, ...]


def as_heard(options: CopyOptions, reporter: Reporter) -> CopyOptions:
    """Return options that do not look for what is left behind, where nobody would hear of it."""
    if options.referrers is None and isinstance(reporter, Silent):
        return replace(options, referrers=())
    return options


def run_copies(
    run: Run, jobs: Sequence[Job], options: CopyOptions, at_once: int
) -> Iterator[ImageReport]:
    """Copy many images, `at_once` of them at the same time, and yield their reports in order.

    An image that fails does not end the others. Raise `DeadlineExceeded` and `Interrupted`.
    """
    from regimport.engine.many import ImageReport  # noqa: PLC0415 - one image needs none

    counter = itertools.count(1)

    def copy(job: Job) -> ImageReport:
        source, targets = str(job.origin), tuple(map(str, job.wanted))
        view = run.for_image(job.origin)
        try:
            done = run_copy(view, job.origin, job.wanted, options)
            image = ImageReport(source, targets, done)
        except (DeadlineExceeded, Interrupted):
            raise
        except RegimportError as error:
            image = ImageReport(source, targets, error=error)
        view.reporter.tell(ImageFinished(image.status.value, next(counter), len(jobs)))
        return image

    return run.workers.several(copy, jobs, at_once)


def run_copy(
    run: Run, origin: AnyReference, wanted: Sequence[AnyReference], options: CopyOptions
) -> Report:
    """Copy one image to the targets, and return the report."""
    started, bytes_read = time.monotonic(), 0
    backups = _backup_names(wanted, options)
    source, workers = run.cached_source(origin, partial(_named_for, wanted)), run.workers
    subset: Subset | None = None
    copies, no_clobber = run.targets(wanted, origin), options.no_clobber
    root, answers = ask(source, selector(origin), workers, copies, certain=no_clobber)
    run.choose_jobs()
    if not options.selection.whole:
        from regimport.engine.parts import select_part  # noqa: PLC0415 - where a part is wanted

        thorough = options.verify or options.referrers or options.repair
        trusting = isinstance(origin, Reference) and not thorough
        part = select_part(
            source, root, options.selection, run.retry, copies, answers, trusting=trusting
        )
        source, root, answers, subset = part.source, part.root, part.answers, part.subset
    copies = settle(root, copies, answers, no_clobber=no_clobber)
    run.reporter.tell(Resolved(str(origin), root))
    settled, pending = _divided(copies, options)
    pending = _with_lenders(pending, settled)
    if any(copy.pending for copy in pending) and options.referrers is None:
        _look_for_referrers(run, source, root.digest if subset is None else subset.source)
    found: Referrers | None = None
    if pending:
        graph, pending = _planned(run, source, root, pending, options)
        root, found = graph.root, graph.referrers
        if backups is not None:
            from regimport.engine.backup import plan_backups  # noqa: PLC0415 - most copies make none

            pending = plan_backups(pending, root.digest, backups, workers)
            settled += [copy for copy in pending if copy.error is not None]
            pending = [copy for copy in pending if copy.error is None]
        if pending and not options.dry_run:
            from regimport.engine.transfer import transfer  # noqa: PLC0415 - a dry run needs none of it

            result = transfer(
                source,
                graph,
                pending,
                run.retry,
                run.known,
                no_clobber=options.no_clobber,
                external=_external(run, origin) if options.foreign_layers == "copy" else None,
                backups=backups,
            )
            pending, bytes_read = list(result.targets), result.bytes_read
        else:
            pending = [_with_work(copy) for copy in pending]
    copies = settled + pending
    if options.verify and not options.dry_run:
        copies = _verified(run, wanted, copies, root)
    quota = run.quota(origin)
    return Report(
        source=str(origin.pinned(root.digest if subset is None else subset.source)),
        root=root,
        targets=target_reports(wanted, copies, root),
        duration=time.monotonic() - started,
        bytes_read=bytes_read,
        dry_run=options.dry_run,
        jobs=workers.jobs,
        round_trip=run.round_trip,
        pulls=quota.pulls,
        rate_limit=quota.limit,
        referrers=found,
        subset=subset,
    )


def _divided(
    copies: Sequence[TargetCopy], options: CopyOptions
) -> tuple[list[TargetCopy], list[TargetCopy]]:
    """Return the copies that need nothing any more, and the others.

    With `referrers`, a repository that has the image may lack what belongs to it: one of its copies
    is among the others. With `repair`, it may lack anything.
    """
    if options.repair:
        from regimport.engine.repair import to_examine  # noqa: PLC0415 - where it is asked for

        return to_examine(copies)
    pending = [copy for copy in copies if copy.pending]
    settled = [copy for copy in copies if not copy.pending]
    if options.referrers:
        named = {copy.name for copy in pending}
        present = {copy.name: copy for copy in settled if copy.status is Status.PRESENT}
        more = [copy for name, copy in present.items() if name not in named]
        pending += more
        settled = [copy for copy in settled if copy not in more]
    return settled, pending


def _backup_names(wanted: Sequence[AnyReference], options: CopyOptions) -> BackupNames | None:
    """Return the names for the old images of the targets' tags, which are all valid."""
    if options.backup is None:
        return None
    # Most copies make none.
    from datetime import UTC, datetime  # noqa: PLC0415

    from regimport.models.backup import BackupNames  # noqa: PLC0415

    names = BackupNames(options.backup, datetime.now(UTC))
    names.check(wanted)
    return names


def _look_for_referrers(run: Run, source: Source, root: Digest) -> None:
    """Tell, once, of what belongs to an image and is not copied; in the background.

    Nothing waits for it, and nothing comes of what cannot be found out.
    """

    def look() -> None:
        found = source.peek_referrers(root)
        if found:
            things = ", ".join(found[:_NAMED]) + (", …" if len(found) > _NAMED else "")
            message = f"{source.name}@{root} has more that belongs to it, which is not copied"
            run.reporter.tell(Warned(f"{message}: {things}; with `referrers=all` it comes along"))

    run.workers.start([look])


def _external(run: Run, origin: AnyReference) -> BlobSource:
    """Return what reads the layers of an image from elsewhere."""
    # Imported where such layers are wanted.
    from regimport.registry.external import ExternalBlobs  # noqa: PLC0415

    registry = origin.registry if isinstance(origin, Reference) else None
    sessions = run.sessions
    return ExternalBlobs(lambda host: sessions.session(Side.SOURCE, registry or host), registry)


def _with_work(copy: TargetCopy) -> TargetCopy:
    """Return a copy, planned only; that there is work where the tag is there already counts."""
    steps = () if copy.plan is None else copy.plan.steps
    work = any(step.action in {Action.COPY, Action.MOUNT} for step in steps)
    return replace(copy, status=Status.PLANNED) if work else copy


def _named_for(wanted: Sequence[AnyReference], source: Source) -> Source:
    """Return the source, whose image is named as the targets will name it.

    Without a tag, an image is put under the name that it has; and the digest of a target says
    which algorithm is meant.
    """
    if all(place.tag is None or place.digest is not None for place in wanted):
        return source
    return NamedBySha256(source)


def _with_lenders(pending: Sequence[TargetCopy], settled: Sequence[TargetCopy]) -> list[TargetCopy]:
    """Return the pending copies; where a repository of their registry has the image, it lends."""
    having = [copy.references[0] for copy in settled if copy.status is Status.PRESENT]
    found = []
    for copy in pending:
        lenders = (mountable_repository(copy.references[0], other) for other in having)
        lender = copy.mount_from or next(filter(None, lenders), None)
        found.append(replace(copy, mount_from=lender))
    return found


def _planned(
    run: Run,
    source: Source,
    root: Descriptor,
    pending: Sequence[TargetCopy],
    options: CopyOptions,
) -> tuple[Graph, list[TargetCopy]]:
    """Return the image's graph, and the copies with what each has to do; check the limits."""
    # An image that is there already needs neither.
    from regimport.engine.limits import check_count, check_limits  # noqa: PLC0415
    from regimport.engine.plan import make_plans  # noqa: PLC0415

    largest = options.limits.max_layer_size
    attach = None
    if options.referrers:
        from regimport.engine.referrers import with_referrers  # noqa: PLC0415 - where they are wanted

        attach = partial(
            with_referrers,
            source,
            workers=run.workers,
            reporter=run.reporter,
            types=options.referrers,
            largest=largest,
        )
    run.open_connections(root)
    graph, planned = make_plans(
        source,
        root,
        pending,
        run.workers,
        run.reporter,
        exact=options.dry_run,
        largest=largest,
        attach=attach,
        foreign=options.foreign_layers,
        check=partial(check_count, limits=options.limits),
        known=run.known,
    )
    check_limits(graph, options.limits)
    run.choose_jobs()
    return graph, planned


def _verified(
    run: Run, wanted: Sequence[AnyReference], copies: Sequence[TargetCopy], root: Descriptor
) -> list[TargetCopy]:
    """Return the copies with what was found when they were read back."""
    from regimport.engine.verify import verify_targets  # noqa: PLC0415 - most copies do without

    ends = {place.name: run.source(place, Side.TARGET) for place in wanted}
    return verify_targets(copies, ends, root, run.retry)


def run_verification(
    run: Run, origin: AnyReference, wanted: AnyReference, *, target_only: bool
) -> tuple[Descriptor, list[ReadBack]]:
    """Resolve the source, and read the image back: at the source, if wanted, and at the target."""
    from regimport.engine.verify import Place, read_back  # noqa: PLC0415 - a copy needs none

    end = _named_for([wanted], run.source(origin))
    end, root = run.part(end, resolve(end, selector(origin), run.workers)[0])
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


def run_inspection(
    run: Run,
    place: AnyReference,
    options: CopyOptions,
    side: Side = Side.SOURCE,
    *,
    referrers: bool = False,
) -> Inspection:
    """Read an image's manifests and configurations, and return what it is made of.

    With `referrers`, read what belongs to it, too.
    """
    # A copy needs none of these.
    from regimport.engine.configs import read_configs  # noqa: PLC0415
    from regimport.engine.examine import examine  # noqa: PLC0415
    from regimport.engine.walk import walk  # noqa: PLC0415

    workers = run.workers
    end = run.cached_source(place) if side is Side.SOURCE else run.source(place, side)
    root, _ = resolve(end, selector(place), workers)
    run.choose_jobs()
    largest = options.limits.max_layer_size
    graph, _ = walk(end, root, workers, run.reporter, largest=largest)
    if options.platforms:
        from regimport.engine.platforms import only  # noqa: PLC0415 - where some are wanted

        graph = workers.call(partial(only, end, graph, options.platforms, run.retry))
    configs = read_configs(end, graph, workers)
    tree = _referrer_tree(run, end, graph, largest) if referrers else None
    return examine(str(place.pinned(root.digest)), graph, options.limits, configs, tree)


def _referrer_tree(run: Run, end: Source, graph: Graph, largest: int | None) -> ReferrerTree | None:
    from regimport.engine.referrer_tree import referrer_tree  # noqa: PLC0415 - where it is wanted
    from regimport.engine.referrers import with_referrers  # noqa: PLC0415 - where they are wanted

    types = (ALL_REFERRERS,)
    whole, _ = with_referrers(end, graph, (), run.workers, run.reporter, types, largest=largest)
    return referrer_tree(whole)
