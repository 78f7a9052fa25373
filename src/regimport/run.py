"""What a public function runs in: its threads, its sessions, and the ends of the copy."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from regimport.auth.lookup import CredentialLookup
from regimport.clouds.hosts import ECR_PUBLIC, ecr_host
from regimport.credentials.keychain import Keychain
from regimport.engine.concurrency import FEWEST_JOBS, choose_jobs, most_jobs
from regimport.engine.ends import Source, Target
from regimport.engine.platforms import choose
from regimport.engine.rate import Bucket, Throttled
from regimport.engine.reading import Patience
from regimport.engine.resolve import Goal
from regimport.engine.workers import Workers
from regimport.errors import Interrupted, InvalidOptions, RegimportError, Side
from regimport.events import Event, Reporter, Retrying, Warned
from regimport.interrupts import INTERRUPTS
from regimport.models.credential import Credential
from regimport.models.reference import LayoutReference, Reference
from regimport.options import CopyOptions
from regimport.registry.quota import Quota
from regimport.registry.repository import Repository
from regimport.registry.sessions import Sessions

if TYPE_CHECKING:
    from regimport.state.uploads import SavedUploads

__all__ = ["Run", "running", "selector"]

_OURS = "REGIMPORT_"


class Run:
    """One run of a public function: opens the ends of a copy, and paces the work on them.

    `most_jobs` is how much may go on at once at all of its ends.
    """

    def __init__(
        self,
        options: CopyOptions,
        workers: Workers,
        sessions: Sessions,
        reporter: Reporter,
        most_jobs: int,
    ) -> None:
        self.workers = workers
        self.sessions = sessions
        self._options = options
        self._reporter = reporter
        self._most_jobs = most_jobs
        self._targets: dict[str, Target] = {}
        self._bucket = None if options.limit_rate is None else Bucket(options.limit_rate)
        self._opening = threading.Lock()
        self._saved: SavedUploads | None = None

    @property
    def patience(self) -> Patience:
        """How long to go on with what breaks."""
        return Patience(self._options.retry, self.workers, self._reporter)

    @property
    def round_trip(self) -> float | None:
        """How long the slower side takes to answer a small request, in seconds, once known."""
        return self.sessions.round_trip

    def pace(self) -> None:
        """Choose how much goes on at once from what was measured, unless the user has."""
        if self._options.jobs is None:
            self.workers.widen(min(choose_jobs(self.round_trip), self._most_jobs))

    def chosen(self, end: Source, place: Reference | LayoutReference) -> str:
        """Return what the source is asked for: a tag, a digest, or one platform's manifest."""
        if not self._options.platforms:
            return selector(place)
        platforms, patience = self._options.platforms, self.patience
        (found,) = self.workers.map(
            lambda reference: choose(end, reference, platforms, patience), [selector(place)]
        )
        return found.digest

    def quota(self, place: Reference | LayoutReference) -> Quota:
        """Return what was spent at the source, and what is left there."""
        return self.sessions.quota(place.registry if isinstance(place, Reference) else "")

    def foresee(self, place: Reference | LayoutReference) -> Callable[[int], None]:
        """Return what warns, once, where more pulls are to be spent at the source than are left."""
        quota, warned = self.quota(place), threading.Event()
        mirrored = isinstance(place, LayoutReference) or bool(
            self._options.network.of(place.registry).mirrors
        )

        def expect(pulls: int) -> None:
            left = None if quota.limit is None else quota.limit.remaining
            if mirrored or left is None or pulls <= left or warned.is_set():
                return
            warned.set()
            self._reporter.tell(
                Warned(
                    f"this takes {pulls} more pulls at {place.name}, but there are "
                    f"{quota.limit}; log in for more, wait, or name a mirror"
                )
            )

        return expect

    def source(self, place: Reference | LayoutReference, side: Side = Side.SOURCE) -> Source:
        """Open an end that is only read; the target is, too, where it is verified."""
        if isinstance(place, LayoutReference):
            # Imported where a layout is named: most copies have none.
            from regimport.layout.reader import LayoutReader  # noqa: PLC0415

            return self._limited(LayoutReader(place.path))
        session = self.sessions.session(side, place.registry)
        repository = Repository(session, place.repository, only_read=True)
        mirrors = self._options.network.of(place.registry).mirrors
        if not mirrors or side is not Side.SOURCE:
            return self._limited(repository)
        # Imported where there are any: most registries have none.
        from regimport.registry.fallback import MirroredRepository  # noqa: PLC0415

        copies = [self._mirror(url, place.repository) for url in mirrors]
        return self._limited(MirroredRepository(repository, copies, self._warn))

    def goal(self, place: Reference | LayoutReference, source: Reference | LayoutReference) -> Goal:
        """Open an end that is written; targets in one repository share it."""
        end = self._targets.get(place.name)
        if end is None:
            end = self._targets[place.name] = self._target(place)
        return Goal(end, place.tag, place.digest, _mountable(place, source))

    def _target(self, place: Reference | LayoutReference) -> Target:
        if isinstance(place, LayoutReference):
            from regimport.layout.writer import Layout  # noqa: PLC0415

            return Layout(place.path)
        session = self.sessions.session(Side.TARGET, place.registry)
        return Repository(session, place.repository, self._creation(place), self._saved_uploads)

    def _mirror(self, url: str, repository: str) -> Repository:
        """Open a repository at a mirror; the path of its URL stands before the name."""
        path = urlsplit(url).path.strip("/")
        name = f"{path}/{repository}" if path else repository
        return Repository(self.sessions.mirror(url), name, only_read=True)

    def _limited(self, end: Source) -> Source:
        return end if self._bucket is None else Throttled(end, self._bucket, self.workers.pause)

    def _warn(self, message: str) -> None:
        self._reporter.tell(Warned(message))

    def _saved_uploads(self) -> SavedUploads:
        """Return the uploads that earlier runs have begun."""
        with self._opening:
            if self._saved is None:
                # Imported where a large blob is written.
                from regimport.state.uploads import SavedUploads  # noqa: PLC0415

                self._saved = SavedUploads(self._warn)
            return self._saved

    def _creation(self, place: Reference) -> Callable[[], object] | None:
        """Return what makes a missing repository, where that is wanted and has to be done."""
        registry = place.registry
        if not self._options.create_repository:
            return None
        if registry != ECR_PUBLIC and ecr_host(registry) is None:
            return None
        try:
            # Imported where it is asked for: the library is large.
            from regimport.clouds.aws import create_repository  # noqa: PLC0415
        except ImportError as error:
            raise InvalidOptions(
                f"to create a repository at {registry}, the library of AWS is needed",
                hint="pip install 'regimport[aws]'",
            ) from error
        return partial(create_repository, registry, place.repository)


class _WarnedOnce:
    """Hands events on, a warning once: both ends of a copy may have the same to say.

    What breaks once the run is stopped broke because of that, and is no warning.
    """

    def __init__(self, reporter: Reporter, stop: threading.Event) -> None:
        self._reporter = reporter
        self._stop = stop
        self._lock = threading.Lock()
        self._told: set[Warned] = set()

    def tell(self, event: Event) -> None:
        if isinstance(event, (Retrying, Warned)) and self._stop.is_set():
            return
        if isinstance(event, Warned):
            with self._lock:
                if event in self._told:
                    return
                self._told.add(event)
        self._reporter.tell(event)


@contextmanager
def running(
    options: CopyOptions,
    reporter: Reporter,
    places: Sequence[Reference | LayoutReference] = (),
    *,
    source: Credential | None = None,
    target: Credential | None = None,
    writing: bool = False,
) -> Iterator[Run]:
    """Open what it takes to work at `places`, the source first, with the credentials given.

    A run that is `writing` is given time to tidy up when the program is interrupted, and raises
    `Interrupted` then.
    """
    most = _most_jobs(options, places)
    workers = Workers(min(options.jobs or FEWEST_JOBS, most), options.deadline)
    reporter = _WarnedOnce(reporter, workers.stop)

    def warn(message: str) -> None:
        reporter.tell(Warned(message))

    given = {Side.SOURCE: source, Side.TARGET: target}
    # What was given for a side is for its registry alone, and never for a mirror.
    environ = {name: os.environ[name] for name in os.environ if not name.startswith(_OURS)}
    with (
        _interruptible(workers, writing=writing),
        workers,
        # Closed first: that ends the credential helpers which a worker may be waiting for.
        closing(Keychain(given, warn, authfile=options.authfile)) as keychain,
        closing(Keychain({}, warn, environ, options.authfile)) as for_mirrors,
        closing(
            Sessions(
                options,
                partial(_lookup, keychain),
                partial(_lookup, for_mirrors, Side.SOURCE),
                reporter,
                workers.stop,
            )
        ) as sessions,
    ):
        yield Run(options, workers, sessions, reporter, most)


@contextmanager
def _interruptible(workers: Workers, *, writing: bool) -> Iterator[None]:
    """Let an interrupted program end the work in order; what else breaks then is no error."""
    try:
        with ExitStack() as stack:
            if writing:
                stack.enter_context(INTERRUPTS.working(workers.interrupt, writing=True))
            yield
    except RegimportError as error:
        if INTERRUPTS.interrupted:
            raise Interrupted from error
        raise


def selector(place: Reference | LayoutReference) -> str:
    """Return what of a repository a reference selects: its digest, or else its tag."""
    return place.digest or place.tag or ""


def _lookup(keychain: Keychain, side: Side, registry: str) -> CredentialLookup:
    """Return what a session asks for the credentials of a registry; raises `InvalidOptions`."""
    keychain.check(side, registry)
    return CredentialLookup(
        partial(keychain.find, side, registry),
        partial(keychain.renew, side, registry),
        partial(keychain.remark, side, registry),
    )


def _mountable(
    target: Reference | LayoutReference, source: Reference | LayoutReference
) -> str | None:
    """Return the repository that blobs may be mounted from: the source's, in the same registry."""
    if not isinstance(target, Reference) or not isinstance(source, Reference):
        return None
    same = target.registry == source.registry and target.repository != source.repository
    return source.repository if same else None


def _most_jobs(options: CopyOptions, places: Sequence[Reference | LayoutReference]) -> int:
    """Return how much may go on at once at the ends of a copy, each repository being one.

    The mirrors of the source are ends too.
    """
    targets = {target.name: target for target in places[1:]}
    ends = [*places[:1], *targets.values()]
    registries = [end.registry for end in ends if isinstance(end, Reference)]
    for source in places[:1]:
        if isinstance(source, Reference):
            mirrors = options.network.of(source.registry).mirrors
            registries += [urlsplit(url).netloc for url in mirrors]
    return most_jobs(registries, options.network)
