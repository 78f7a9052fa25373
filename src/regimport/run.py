"""What a public function runs in: its threads, and the open ends that they work at."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from regimport.connect import Ends
from regimport.credentials.keychain import Keychain
from regimport.engine.ends import Source
from regimport.engine.pace import FEWEST_JOBS, jobs_for, most_jobs
from regimport.engine.platforms import choose
from regimport.engine.reading import Patience
from regimport.engine.workers import Workers
from regimport.errors import Side
from regimport.events import Event, Reporter, Warned
from regimport.models.credential import Credential
from regimport.models.reference import LayoutReference, Reference
from regimport.options import CopyOptions

__all__ = ["Run", "asked", "running"]


@dataclass(frozen=True, slots=True)
class Run:
    """Threads and ends; `most` is how much may go on at once at all of these ends."""

    workers: Workers
    ends: Ends
    options: CopyOptions
    reporter: Reporter
    most: int

    @property
    def patience(self) -> Patience:
        """How long to go on with what breaks."""
        return Patience(self.options.retry, self.workers, self.reporter)

    def pace(self) -> None:
        """Choose how much goes on at once from what was measured, unless the user has."""
        if self.options.jobs is None:
            self.workers.widen(min(jobs_for(self.ends.round_trip), self.most))

    def chosen(self, end: Source, place: Reference | LayoutReference) -> str:
        """Give what the source is asked for: a tag, a digest, or one platform's manifest."""
        if not self.options.platforms:
            return asked(place)
        platforms, patience = self.options.platforms, self.patience
        (found,) = self.workers.map(
            lambda reference: choose(end, reference, platforms, patience), [asked(place)]
        )
        return found.digest


class _WarnedOnce:
    """Hands events on, a warning once: both ends of a copy may have the same to say."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._lock = threading.Lock()
        self._told: set[Warned] = set()

    def tell(self, event: Event) -> None:
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
    places: Sequence[Reference | LayoutReference],
    *,
    source: Credential | None = None,
    target: Credential | None = None,
) -> Iterator[Run]:
    """Open what it takes to work at `places`, the source first, with the credentials given."""
    reporter = _WarnedOnce(reporter)
    keychain = Keychain(
        {Side.SOURCE: source, Side.TARGET: target},
        lambda message: reporter.tell(Warned(message)),
        authfile=options.authfile,
    )
    most = _most_jobs(options, places)
    jobs = min(options.jobs or FEWEST_JOBS, most)
    with (
        Workers(jobs, options.deadline) as workers,
        Ends(options, keychain, reporter, workers.stop) as ends,
    ):
        yield Run(workers, ends, options, reporter, most)


def asked(place: Reference | LayoutReference) -> str:
    """Give what a reference asks for: its digest, or else its tag."""
    return place.digest or place.tag or ""


def _most_jobs(options: CopyOptions, places: Sequence[Reference | LayoutReference]) -> int:
    """Give how much may go on at once at the ends of a copy, each repository being one.

    The mirrors of the source are ends too.
    """
    source, *targets = places
    ends = [source, *{target.name: target for target in targets}.values()]
    registries = [end.registry for end in ends if isinstance(end, Reference)]
    if isinstance(source, Reference):
        mirrors = options.network.of(source.registry).mirrors
        registries += [urlsplit(url).netloc for url in mirrors]
    return most_jobs(registries, options.network)
