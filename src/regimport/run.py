"""What a public function needs while it runs: threads, sessions, and the ends of the copy."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from regimport.auth.lookup import CredentialLookup
from regimport.clouds.hosts import ECR_PUBLIC, ecr_host
from regimport.credentials.keychain import Keychain
from regimport.engine.concurrency import (
    FEWEST_JOBS,
    choose_jobs,
    connections_ahead,
    most_jobs,
)
from regimport.engine.ends import Source, Target
from regimport.engine.platforms import choose
from regimport.engine.rate import Bucket, Throttled
from regimport.engine.retrying import RetryContext
from regimport.engine.target import TargetCopy, mountable_repository
from regimport.engine.workers import Workers
from regimport.errors import InvalidOptions, Side
from regimport.events import Reporter, Warned
from regimport.models.credential import Credential
from regimport.models.descriptor import Descriptor
from regimport.models.reference import LayoutReference, Reference
from regimport.options import CopyOptions
from regimport.registry.quota import Quota
from regimport.registry.repository import Repository
from regimport.registry.sessions import Sessions
from regimport.reporters import QuotaWarnings, WarningsOnce
from regimport.stopping import stopped_by

if TYPE_CHECKING:
    import httpx

    from regimport.state.uploads import UploadFiles

__all__ = ["Run", "running", "selector"]

_OURS = "REGIMPORT_"


class Run:
    """One run of a public function: opens the ends of a copy, and sets how much goes on at once.

    `reporter` is told what the engine reports. `most_jobs` is how much may go on at once at all
    of its ends.
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
        self.reporter = reporter
        self._options = options
        self._most_jobs = most_jobs
        self._targets: dict[str, Target] = {}
        self._bucket = None if options.limit_rate is None else Bucket(options.limit_rate)
        self._opening = threading.Lock()
        self._saved: UploadFiles | None = None

    @property
    def retry(self) -> RetryContext:
        """What is needed to try a blob or a manifest again."""
        return RetryContext(self._options.retry, self.workers, self.reporter)

    @property
    def round_trip(self) -> float | None:
        """How long the slower side takes to answer a small request, in seconds, once known."""
        return self.sessions.round_trip

    def choose_jobs(self) -> None:
        """Choose how much goes on at once from what was measured, unless the user has."""
        if self._options.jobs is None:
            self.workers.widen(min(choose_jobs(self.round_trip), self._most_jobs))

    def open_connections(self, root: Descriptor) -> None:
        """Begin to open the connections that the image under `root` will need; do not wait."""
        connections = connections_ahead(root, self.workers.jobs, self.round_trip)
        self.workers.start(self.sessions.ahead(connections))

    def selector(self, end: Source, place: Reference | LayoutReference) -> str:
        """Return what the source is asked for: a tag, a digest, or one platform's manifest."""
        if not self._options.platforms:
            return selector(place)
        retry, platforms = self.retry, self._options.platforms
        return self.workers.call(lambda: choose(end, selector(place), platforms, retry)).digest

    def quota(self, place: Reference | LayoutReference) -> Quota:
        """Return what was spent at the source, and what is left there."""
        return self.sessions.quota(place.registry if isinstance(place, Reference) else "")

    def source(self, place: Reference | LayoutReference, side: Side = Side.SOURCE) -> Source:
        """Open an end that is only read: the source, or the target to be verified."""
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

    def targets(
        self,
        places: Sequence[Reference | LayoutReference],
        source: Reference | LayoutReference,
    ) -> list[TargetCopy]:
        """Open the ends that are written, each repository once; return a copy for each place."""
        for place in places:
            if place.name not in self._targets:
                self._targets[place.name] = self._target(place)
        return [
            TargetCopy(self._targets[place.name], (place,), mountable_repository(place, source))
            for place in places
        ]

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
        self.reporter.tell(Warned(message))

    def _saved_uploads(self) -> UploadFiles:
        """Return the uploads that earlier runs have begun."""
        with self._opening:
            if self._saved is None:
                # Imported where a large blob is written.
                from regimport.state.uploads import UploadFiles  # noqa: PLC0415

                self._saved = UploadFiles(self._warn)
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


@contextmanager
def running(
    options: CopyOptions,
    reporter: Reporter,
    places: Sequence[Reference | LayoutReference] = (),
    *,
    source: Credential | None = None,
    target: Credential | None = None,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> Iterator[Run]:
    """Open what is needed to work at `places`, the source first, with the credentials given.

    `transport` carries all requests, and is not closed; without one, connections are opened.
    `stop`, once it is set, ends the work with `Interrupted`.
    """
    reporter = WarningsOnce(reporter)

    def warn(message: str) -> None:
        reporter.tell(Warned(message))

    given = {Side.SOURCE: source, Side.TARGET: target}
    # Credentials given for a side are for its registry alone, and never for a mirror.
    environ = {name: os.environ[name] for name in os.environ if not name.startswith(_OURS)}
    most = most_jobs(_registries(options, places), options.network)
    with (
        Workers(min(options.jobs or FEWEST_JOBS, most), options.deadline) as workers,
        stopped_by(stop, workers.interrupt),
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
                transport=transport,
            )
        ) as sessions,
    ):
        watching = _watching_quota(reporter, options, places, sessions)
        yield Run(options, workers, sessions, watching, most)


def _watching_quota(
    reporter: Reporter,
    options: CopyOptions,
    places: Sequence[Reference | LayoutReference],
    sessions: Sessions,
) -> Reporter:
    """Return a reporter that warns of the source's quota, unless mirrors may serve instead."""
    source = places[0] if places else None
    if not isinstance(source, Reference) or options.network.of(source.registry).mirrors:
        return reporter
    registry = source.registry
    return QuotaWarnings(reporter, source.name, lambda: sessions.quota(registry).limit)


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


def _registries(options: CopyOptions, places: Sequence[Reference | LayoutReference]) -> list[str]:
    """Return the registry of each end of a copy, a repository being one end.

    The mirrors of the source are ends too.
    """
    targets = {target.name: target for target in places[1:]}
    ends = [*places[:1], *targets.values()]
    registries = [end.registry for end in ends if isinstance(end, Reference)]
    for source in places[:1]:
        if isinstance(source, Reference):
            mirrors = options.network.of(source.registry).mirrors
            registries += [urlsplit(url).netloc for url in mirrors]
    return registries
