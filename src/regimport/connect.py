"""Opens the ends of a copy: sessions with registries, and layouts on disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from regimport.clouds.hosts import ECR_PUBLIC, ecr_host
from regimport.credentials.keychain import Keychain
from regimport.engine.ends import Source, Target
from regimport.engine.rate import Bucket, Throttled
from regimport.engine.resolve import Goal
from regimport.errors import Interrupted, InvalidOptions, Side
from regimport.events import Reporter, Warned
from regimport.models.reference import LayoutReference, Reference
from regimport.network import host_name
from regimport.options import CopyOptions
from regimport.registry.pace import Pace
from regimport.registry.quota import Quota
from regimport.registry.repository import Repository
from regimport.registry.session import Session
from regimport.sessions import (
    keys_of,
    mirror_keychain,
    mirror_session,
    open_session,
    pace_of,
)

if TYPE_CHECKING:
    from regimport.state.uploads import SavedUploads

__all__ = ["Ends"]


class Ends:
    """The open ends of one copy; each side has sessions of its own, one a registry."""

    def __init__(
        self,
        options: CopyOptions,
        keychain: Keychain,
        reporter: Reporter,
        stop: threading.Event,
    ) -> None:
        self._options = options
        self._keychain = keychain
        self._mirror_keychain: Keychain | None = None
        self._reporter = reporter
        self._stop = stop
        self._sessions: dict[tuple[Side, str], Session] = {}
        self._paces: dict[str, Pace | None] = {}
        self._targets: dict[str, Target] = {}
        self._bucket = None if options.limit_rate is None else Bucket(options.limit_rate)
        self._opening = threading.Lock()
        self._saved: SavedUploads | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for keychain in (self._keychain, self._mirror_keychain):
            if keychain is not None:
                keychain.close()
        for session in self._sessions.values():
            if self._stop.is_set():
                session.abort()
            else:
                session.close()

    @property
    def round_trip(self) -> float | None:
        """How long the slower side takes to answer a small request, in seconds, once known."""
        known = [session.round_trip for session in self._sessions.values()]
        return max((seconds for seconds in known if seconds is not None), default=None)

    def quota(self, reference: Reference | LayoutReference) -> Quota:
        """Give what was spent at the source, and what is left there."""
        registry = reference.registry if isinstance(reference, Reference) else ""
        session = self._sessions.get((Side.SOURCE, registry))
        return Quota() if session is None else session.quota

    def foresee(self, reference: Reference | LayoutReference) -> Callable[[int], None]:
        """Give what warns, once, where more pulls are to be spent at the source than are left."""
        quota, warned = self.quota(reference), threading.Event()
        mirrored = isinstance(reference, LayoutReference) or bool(
            self._options.network.of(reference.registry).mirrors
        )

        def expect(pulls: int) -> None:
            left = None if quota.limit is None else quota.limit.remaining
            if mirrored or left is None or pulls <= left or warned.is_set():
                return
            warned.set()
            self._reporter.tell(
                Warned(
                    f"this takes {pulls} more pulls at {reference.name}, but there are "
                    f"{quota.limit}; log in for more, wait, or name a mirror"
                )
            )

        return expect

    def ahead(self, connections: int) -> list[Callable[[], None]]:
        """Give what opens more connections, so that each side has so many; never raises."""
        sessions = list(self._sessions.values())
        return [session.warm for session in sessions for _ in range(connections - 1)]

    def repository(self, reference: Reference, side: Side) -> Repository:
        """Open a repository at a registry."""
        session = self.session(side, reference.registry)
        create = self._creation(reference) if side is Side.TARGET else None
        return Repository(session, reference.repository, create, self._saved_uploads)

    def _saved_uploads(self) -> SavedUploads:
        """Give the uploads that earlier runs have begun."""
        with self._opening:
            if self._saved is None:
                # Imported where a large blob is written.
                from regimport.state.uploads import SavedUploads  # noqa: PLC0415

                self._saved = SavedUploads(lambda text: self._reporter.tell(Warned(text)))
            return self._saved

    def source(self, reference: Reference | LayoutReference, side: Side = Side.SOURCE) -> Source:
        """Open an end that is only read; the target is, too, where it is verified."""
        if isinstance(reference, LayoutReference):
            # Imported where a layout is named: most copies have none.
            from regimport.layout.reader import LayoutReader  # noqa: PLC0415

            return self._limited(LayoutReader(reference.path))
        session = self.session(side, reference.registry)
        repository = Repository(session, reference.repository, only_read=True)
        mirrors = self._options.network.of(reference.registry).mirrors
        if not mirrors or side is not Side.SOURCE:
            return self._limited(repository)
        # Imported where there are any: most registries have none.
        from regimport.registry.mirror import Mirrored  # noqa: PLC0415

        copies = [self._mirror(url, reference.repository) for url in mirrors]
        mirrored = Mirrored(repository, copies, lambda text: self._reporter.tell(Warned(text)))
        return self._limited(mirrored)

    def _limited(self, end: Source) -> Source:
        return end if self._bucket is None else Throttled(end, self._bucket, self._pause)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Interrupted

    def goal(
        self, reference: Reference | LayoutReference, source: Reference | LayoutReference
    ) -> Goal:
        """Open an end that is written; targets in one repository share it."""
        end = self._targets.get(reference.name)
        if end is None:
            if isinstance(reference, LayoutReference):
                from regimport.layout.writer import Layout  # noqa: PLC0415

                end = Layout(reference.path)
            else:
                end = self.repository(reference, Side.TARGET)
            self._targets[reference.name] = end
        return Goal(end, reference.tag, reference.digest, _mountable(reference, source))

    def _creation(self, reference: Reference) -> Callable[[], object] | None:
        """Give what makes a missing repository, where that is wanted and has to be done."""
        registry = reference.registry
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
        return partial(create_repository, registry, reference.repository)

    def _mirror(self, url: str, repository: str) -> Repository:
        """Open a repository at a mirror; the path of its URL stands before the name."""
        session = self._sessions.get((Side.SOURCE, url))
        if session is None:
            if self._mirror_keychain is None:
                self._mirror_keychain = mirror_keychain(self._options, self._reporter)
            session = self._sessions[Side.SOURCE, url] = mirror_session(
                url, self._options, self._mirror_keychain, self._reporter, self._stop
            )
        path = urlsplit(url).path.strip("/")
        return Repository(session, f"{path}/{repository}" if path else repository, only_read=True)

    def session(self, side: Side, registry: str) -> Session:
        """Give the session with a registry for one side."""
        session = self._sessions.get((side, registry))
        if session is None:
            self._keychain.check(side, registry)
            name = host_name(registry)
            if name not in self._paces:
                self._paces[name] = pace_of(registry, self._options)
            session = self._sessions[side, registry] = open_session(
                registry,
                side,
                self._options,
                keys_of(self._keychain, side, registry),
                self._reporter,
                self._stop,
                self._paces[name],
            )
        return session


def _mountable(
    target: Reference | LayoutReference, source: Reference | LayoutReference
) -> str | None:
    """Give the repository that blobs may be mounted from: the source's, in the same registry."""
    if not isinstance(target, Reference) or not isinstance(source, Reference):
        return None
    same = target.registry == source.registry and target.repository != source.repository
    return source.repository if same else None
