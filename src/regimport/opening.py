"""Opens a run of a public function, with its threads, credentials and sessions; closes them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from regimport.auth.lookup import CredentialLookup
from regimport.credentials.keychain import Keychain
from regimport.engine.concurrency import (
    MIN_JOBS,
    limit_jobs,
)
from regimport.engine.workers import Workers
from regimport.environment import environment
from regimport.errors import Interrupted, RegimportError, Side
from regimport.events import Reporter, Warned
from regimport.interrupts import INTERRUPTS
from regimport.models.credential import Credential
from regimport.models.reference import AnyReference, Reference
from regimport.network import Network
from regimport.options import CopyOptions, check_kinds
from regimport.registry.sessions import Sessions
from regimport.reporters import WarningsOnce
from regimport.run import Run
from regimport.stopping import stopped_by

if TYPE_CHECKING:
    import httpx


__all__ = ["running"]

_OURS = "REGIMPORT_"


@contextmanager
def running(
    options: CopyOptions,
    reporter: Reporter,
    places: Sequence[AnyReference] = (),
    *,
    images: Sequence[Sequence[AnyReference]] = (),
    source: Credential | None = None,
    target: Credential | None = None,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
    writing: bool = False,
) -> Iterator[Run]:
    """Open a run for `places`, the source first, with the credentials given.

    `images` are the places of each of several images, instead.

    `transport`, if given, carries all requests, and is not closed. `stop`, once it is set, ends the
    work with `Interrupted`. A run that is `writing` is given time to cancel its uploads when the
    program is interrupted, and raises `Interrupted` then. Raise `InvalidOptions` for a value of
    another type.
    """
    check_kinds(options, reporter, (source, target), stop)
    max_jobs = _limit_jobs(options, images or [places])
    workers = Workers(min(options.jobs or MIN_JOBS, max_jobs), options.deadline)
    reporter = WarningsOnce(reporter, workers.stop)

    def warn(message: str) -> None:
        reporter.tell(Warned(message))

    given = {Side.SOURCE: source, Side.TARGET: target}
    # Credentials given for a side are for its registry alone, and never for a mirror.
    environ = {name: text for name, text in environment().items() if not name.startswith(_OURS)}
    with (
        _interruptible(workers, writing=writing and not options.dry_run),
        workers,
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
        origin = places[0] if places else None
        with closing(Run(options, workers, sessions, reporter, max_jobs, origin)) as run:
            yield run


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


def _lookup(keychain: Keychain, side: Side, registry: str) -> CredentialLookup:
    """Return how a session finds the credentials of a registry, or raise `InvalidOptions`."""
    keychain.check(side, registry)
    return CredentialLookup(
        partial(keychain.find, side, registry),
        partial(keychain.renew, side, registry),
        partial(keychain.remark, side, registry),
        partial(keychain.peek, side, registry),
    )


def _limit_jobs(options: CopyOptions, images: Sequence[Sequence[AnyReference]]) -> int:
    """Return how many jobs may go on at once: a job is at all ends of one of the images."""
    ends = {tuple(_registries(options, places)) for places in images}
    # Connections to the registries of the other images stay open.
    everywhere = {registry for registries in ends for registry in registries}
    files = limit_jobs(everywhere, Network())
    return min([files, *(limit_jobs(registries, options.network) for registries in ends)])


def _registries(options: CopyOptions, places: Sequence[AnyReference]) -> list[str]:
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
