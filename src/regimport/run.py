"""One run of a public function: the ends of its copy, its number of jobs, what it shares."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from copy import copy
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from regimport.engine.cached import CachedManifests
from regimport.engine.concurrency import (
    choose_jobs,
    connections_ahead,
)
from regimport.engine.ends import Deletable, Source, Target
from regimport.engine.retrying import RetryContext
from regimport.engine.target import TargetCopy, mountable_repository
from regimport.engine.workers import Workers
from regimport.errors import InvalidOptions, Side
from regimport.events import Reporter, Warned
from regimport.models.descriptor import Descriptor
from regimport.models.on_disk import is_standard_stream
from regimport.models.reference import AnyReference, Reference
from regimport.options import CopyOptions
from regimport.registry.quota import Quota
from regimport.registry.repository import Repository
from regimport.registry.sessions import Sessions
from regimport.reporters import ImageReporter, QuotaWarnings
from regimport.state.saved import SavedState
from regimport.values import dataclass

if TYPE_CHECKING:
    from regimport.disk import Disk
    from regimport.engine.known import KnownBlobs
    from regimport.engine.rate import Bucket

__all__ = ["Run", "selector"]


@dataclass(slots=True)
class _Shared:
    """What is opened once for all images of a run."""

    known: KnownBlobs | None = None
    disk: Disk | None = None


class Run:
    """Opens the ends of a copy, and chooses how many jobs run at once.

    `reporter` receives the events of the engine, and is warned of the pull quota of `source`.
    `max_jobs` is the limit that the settings of the
    registries set. It is `single` unless there are several images, each with a run of its own that
    shares all but its reporter and `read_from`, the repository that it reads.
    """

    def __init__(
        self,
        options: CopyOptions,
        workers: Workers,
        sessions: Sessions,
        reporter: Reporter,
        max_jobs: int,
        source: AnyReference | None = None,
    ) -> None:
        self.workers = workers
        self.sessions = sessions
        self._shared = _Shared()
        self.single = True
        self.read_from: Repository | None = None
        self._options = options
        self.reporter = self._watching_quota(reporter, source)
        self._max_jobs = max_jobs
        self._targets: dict[str, Target] = {}
        self._bucket: Bucket | None = None
        if options.limit_rate is not None:
            # Imported where a rate is set.
            from regimport.engine.rate import Bucket  # noqa: PLC0415

            self._bucket = Bucket(options.limit_rate)
        self._opening = threading.RLock()
        self._saved = SavedState(self._warn)

    def for_image(self, origin: AnyReference) -> Run:
        """Return a run for one image of several, which shares all else; its events name it."""
        image = copy(self)
        reporter = ImageReporter(self.reporter, str(origin))
        image.reporter = self._watching_quota(reporter, origin)
        image.read_from = None
        image.single = False
        return image

    def close(self) -> None:
        """Close the files that were opened."""
        if self._shared.disk is not None:
            self._shared.disk.close()

    @property
    def retry(self) -> RetryContext:
        """What a retry of a blob or a manifest needs."""
        return RetryContext(self._options.retry, self.workers, self.reporter)

    @property
    def known(self) -> KnownBlobs:
        """The blobs that the run has seen or sent at the targets."""
        with self._opening:
            if self._shared.known is None:
                # Imported where something is copied.
                from regimport.engine.known import KnownBlobs  # noqa: PLC0415

                self._shared.known = KnownBlobs()
            return self._shared.known

    @property
    def round_trip(self) -> float | None:
        """The round trip time of the slower side in seconds, None until it was measured."""
        return self.sessions.round_trip

    def choose_jobs(self) -> None:
        """Choose the number of jobs by the round trip time, unless the user has set it."""
        if self._options.jobs is None:
            self.workers.widen(min(choose_jobs(self.round_trip), self._max_jobs))

    def open_connections(self, root: Descriptor) -> None:
        """Start to open the connections that the image under `root` will need, without waiting."""
        if not self.single:
            return  # those of the other images are open
        connections = connections_ahead(root, self.workers.jobs, self.round_trip)
        self.workers.start(self.sessions.ahead(connections))

    def part(self, end: Source, root: Descriptor) -> tuple[Source, Descriptor]:
        """Return the root of the part that is wanted of an image, and a source that has it."""
        if self._options.selection.whole:
            return end, root
        from regimport.engine.parts import part_of  # noqa: PLC0415 - where a part is wanted

        part = part_of(end, root, self._options.selection, self.retry)
        return part.source, part.root

    def quota(self, place: AnyReference) -> Quota:
        """Return the pulls used at the source's registry, and those that remain.

        Of several images, each has its own pulls.
        """
        found = self.sessions.quota(place.registry if isinstance(place, Reference) else "")
        if self.single:
            return found
        return Quota(0 if self.read_from is None else self.read_from.pulls, found.limit)

    def source(self, place: AnyReference, side: Side = Side.SOURCE) -> Source:
        """Open an end for reading: the source, or the target that is to be verified."""
        if not isinstance(place, Reference):
            return self._limited(self._disk().source(place))
        session = self.sessions.session(side, place.registry)
        repository = Repository(session, place.repository, only_read=True)
        if side is Side.SOURCE:
            self.read_from = repository
        mirrors = self._options.network.of(place.registry).mirrors
        if not mirrors or side is not Side.SOURCE:
            return self._limited(repository)
        # Imported where there are any: most registries have none.
        from regimport.registry.fallback import MirroredRepository  # noqa: PLC0415

        mirrors_of_it = [self._mirror(url, place.repository) for url in mirrors]
        return self._limited(MirroredRepository(repository, mirrors_of_it, self._warn))

    def cached_source(
        self, place: AnyReference, named: Callable[[Source], Source] | None = None
    ) -> Source:
        """Open the source, whose manifests may be known from an earlier run.

        `named` is what it is wrapped in before.
        """
        end = self.source(place) if named is None else named(self.source(place))
        if not self._options.cache or not isinstance(place, Reference):
            return end
        return CachedManifests(end, self._saved.manifests)

    def targets(
        self,
        places: Sequence[AnyReference],
        source: AnyReference,
    ) -> list[TargetCopy]:
        """Open the targets for writing, each repository once; return a copy for each reference."""
        if self._options.verify and any(is_standard_stream(place.name) for place in places):
            raise InvalidOptions(
                "what was written to standard output cannot be read back",
                hint="leave `verify` out, or write to a file",
            )
        with self._opening:
            for place in places:
                if place.name not in self._targets:
                    self._targets[place.name] = self._target(place, source)
        return [
            TargetCopy(self._targets[place.name], (place,), mountable_repository(place, source))
            for place in places
        ]

    def deletable(self, place: Reference) -> Deletable:
        """Open a repository that something is to be deleted from."""
        session = self.sessions.session(Side.TARGET, place.registry)
        return Repository(session, place.repository, only_read=True)

    def _target(self, place: AnyReference, source: AnyReference) -> Target:
        if not isinstance(place, Reference):
            return self._disk().target(place, _repository_of(source))
        session = self.sessions.session(Side.TARGET, place.registry)
        return Repository(session, place.repository, self._creation(place), self._saved.uploads)

    def _disk(self) -> Disk:
        """Return what opens layouts and archives."""
        with self._opening:
            if self._shared.disk is None:
                # Imported where one is named: most copies have none.
                from regimport.disk import Disk  # noqa: PLC0415

                self._shared.disk = Disk(self.workers.stop)
            return self._shared.disk

    def _mirror(self, url: str, repository: str) -> Repository:
        """Open a repository at a mirror; the path of its URL stands before the name."""
        path = urlsplit(url).path.strip("/")
        name = f"{path}/{repository}" if path else repository
        return Repository(self.sessions.mirror(url), name, only_read=True)

    def _limited(self, end: Source) -> Source:
        if self._bucket is None:
            return end
        from regimport.engine.rate import Throttled  # noqa: PLC0415 - where a rate is set

        return Throttled(end, self._bucket, self.workers.pause)

    def _warn(self, message: str) -> None:
        self.reporter.tell(Warned(message))

    def _creation(self, place: Reference) -> Callable[[], object] | None:
        """Return a function that creates the repository in ECR, None where that is not wanted."""
        if not self._options.create_repository:
            return None
        # Imported where it is asked for: most registries create repositories themselves.
        from regimport.clouds.creation import creation_of  # noqa: PLC0415

        return creation_of(place.registry, place.repository)

    def _watching_quota(self, reporter: Reporter, source: AnyReference | None) -> Reporter:
        """Return a reporter that warns of the source's pull quota, unless mirrors may serve it."""
        if not isinstance(source, Reference):
            return reporter
        registry, sessions = source.registry, self.sessions
        if self._options.network.of(registry).mirrors:
            return reporter
        return QuotaWarnings(reporter, source.name, lambda: sessions.quota(registry).limit)


def selector(place: AnyReference) -> str:
    """Return the digest of a reference, or else its tag."""
    return place.digest or place.tag or ""


def _repository_of(source: AnyReference) -> str | None:
    return source.name if isinstance(source, Reference) else None
