"""The sessions of a run: one for each side and registry, opened when it is first needed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

import httpx

from regimport.auth.lookup import CredentialLookup
from regimport.errors import InvalidOptions, Side
from regimport.events import Reporter, Warned
from regimport.network import Network, Tls, host_name
from regimport.options import CopyOptions
from regimport.registry.endpoint import endpoint_of
from regimport.registry.notices import Notices
from regimport.registry.quota import Quota
from regimport.registry.rate import RequestRate
from regimport.registry.session import Session
from regimport.registry.trust import Contexts
from regimport.transport.dial import Dialer
from regimport.transport.pool import PooledTransport
from regimport.transport.proxy import Proxies

__all__ = ["Sessions", "open_session"]

# A mirror is there to be faster: one that keeps failing, or asks for more seconds, is not.
_MIRROR_ATTEMPTS = 2
_MIRROR_WAIT = 10.0


class Sessions:
    """The sessions of a run, by side and registry, and by the URL of a mirror.

    `lookup` returns how the credentials for a side and a registry are found; `mirror_lookup` the
    same for the host of a mirror, which is never told those of the registry. A `transport` that is
    given carries all requests, and is not closed.
    """

    def __init__(
        self,
        options: CopyOptions,
        lookup: Callable[[Side, str], CredentialLookup],
        mirror_lookup: Callable[[str], CredentialLookup],
        reporter: Reporter,
        stop: threading.Event,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._options = options
        self._transport = transport
        self._lookup = lookup
        self._mirror_lookup = mirror_lookup
        self._reporter = reporter
        self._stop = stop
        self._opening = threading.Lock()
        self._open: dict[tuple[Side, str], Session] = {}
        self._notices = Notices()
        self._rates: dict[str, RequestRate | None] = {}

    def __repr__(self) -> str:
        return f"<Sessions: {', '.join(map(repr, self._open.values())) or 'none yet'}>"

    @property
    def round_trip(self) -> float | None:
        """How long the slowest registry takes to answer a small request, in seconds, once known."""
        known = [session.round_trip for session in list(self._open.values())]
        return max((seconds for seconds in known if seconds is not None), default=None)

    def close(self) -> None:
        """Close all connections; where the run was stopped, break off the bodies on their way."""
        for session in self._open.values():
            if self._stop.is_set():
                session.abort()
            else:
                session.close()

    def quota(self, registry: str) -> Quota:
        """Return what was spent of the source registry's pulls, and what is left of them."""
        session = self._open.get((Side.SOURCE, registry))
        return Quota() if session is None else session.quota

    def ahead(self, connections: int) -> list[Callable[[], None]]:
        """Return calls that open more connections, so that each session has `connections`."""
        return [session.warm for session in self._open.values() for _ in range(connections - 1)]

    def session(self, side: Side, registry: str) -> Session:
        """Return the session with a registry for one side, or raise `InvalidConfig`."""
        with self._opening:
            session = self._open.get((side, registry))
            if session is None:
                session = self._open[side, registry] = open_session(
                    registry,
                    side,
                    self._options,
                    self._lookup(side, registry),
                    self._reporter,
                    self._stop,
                    self._rate(registry, self._options),
                    self._transport,
                    self._notices,
                )
            return session

    def mirror(self, url: str) -> Session:
        """Return the session with a mirror, which is shown no certificate meant for the registry.

        Raise `InvalidConfig`.
        """
        with self._opening:
            session = self._open.get((Side.SOURCE, url))
            if session is None:
                host = urlsplit(url).netloc
                options = _for_mirror(url, self._options)
                session = self._open[Side.SOURCE, url] = open_session(
                    host,
                    Side.SOURCE,
                    options,
                    self._mirror_lookup(host),
                    self._reporter,
                    self._stop,
                    self._rate(host, options),
                    self._transport,
                    self._notices,
                )
            return session

    def _rate(self, registry: str, options: CopyOptions) -> RequestRate | None:
        name = host_name(registry)
        if name not in self._rates:
            rate = options.network.of(registry).request_rate
            self._rates[name] = None if rate is None else RequestRate(rate)
        return self._rates[name]


def open_session(
    registry: str,
    side: Side,
    options: CopyOptions,
    lookup: CredentialLookup,
    reporter: Reporter,
    stop: threading.Event,
    rate: RequestRate | None = None,
    transport: httpx.BaseTransport | None = None,
    notices: Notices | None = None,
) -> Session:
    """Open a session with a registry, reached as the options and the environment say.

    A `transport` that is given carries all its requests, and is not closed. Raise `InvalidConfig`
    for a certificate or a key that cannot be used.
    """
    network = options.network
    contexts = Contexts(network, registry, side, endpoint_of(registry, options).origin)
    contexts.check()
    if contexts.insecure:
        reporter.tell(
            Warned(f"the certificate of {registry} is not checked: anybody could be there")
        )
    if transport is not None:
        return Session(
            registry,
            side,
            options,
            lookup,
            reporter,
            stop,
            transport,
            rate,
            owned=False,
            notices=notices,
        )
    addresses = {(pin.host, pin.port): pin.addresses for pin in network.resolve}
    dialer = Dialer(contexts.context, Proxies(os.environ), addresses)
    made = PooledTransport(dialer) if options.transport == "pooled" else _stock(dialer, network)
    return Session(registry, side, options, lookup, reporter, stop, made, rate, notices=notices)


def _stock(dialer: Dialer, network: Network) -> httpx.BaseTransport:
    """Return httpx's own transport, to tell a fault of ours from one of the registry."""
    if network.resolve:
        raise InvalidOptions(
            "REGIMPORT_TRANSPORT=httpx does not know `resolve`",
            hint="leave out `resolve`, or unset REGIMPORT_TRANSPORT",
        )
    # Imported where it is asked for: httpcore takes time to load.
    from regimport.transport.by_origin import TransportByOrigin  # noqa: PLC0415

    return TransportByOrigin(dialer)


def _for_mirror(url: str, options: CopyOptions) -> CopyOptions:
    """Return the options for a mirror: fewer attempts, and nothing that is for the registry."""
    parts = urlsplit(url)
    host = parts.netloc
    network = options.network
    settings = network.of(host)
    served = replace(settings, endpoint=settings.endpoint or f"{parts.scheme}://{host}")
    retry = replace(
        options.retry,
        attempts=min(options.retry.attempts, _MIRROR_ATTEMPTS),
        max_wait=min(options.retry.max_wait, _MIRROR_WAIT),
    )
    registries = {**network.registries, host_name(host): served}
    network = replace(network, registries=registries, source=Tls(), target=Tls())
    return replace(options, retry=retry, network=network)
