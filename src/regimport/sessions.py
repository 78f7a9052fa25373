"""Opens sessions with registries, each reached as the options and the environment say."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from regimport.credentials.keychain import Keychain
from regimport.errors import InvalidOptions, RegimportError, Side
from regimport.events import Reporter, Warned
from regimport.models.credential import Credential
from regimport.network import Tls, host_name
from regimport.options import CopyOptions
from regimport.registry.dial import Dialer
from regimport.registry.endpoint import endpoint_of
from regimport.registry.keys import FindCredential, Keys
from regimport.registry.pace import Pace
from regimport.registry.proxy import Proxies
from regimport.registry.request import Request
from regimport.registry.responses import error_of
from regimport.registry.session import Session
from regimport.registry.tls import Contexts
from regimport.registry.transport import Transport
from regimport.registry.wire import Carrier

__all__ = ["keys_of", "mirror_keychain", "mirror_session", "open_session", "pace_of", "sign_in"]

_OURS = "REGIMPORT_"
# A mirror is there to be faster: one that keeps failing, or asks for more seconds, is not.
_MIRROR_ATTEMPTS = 2
_MIRROR_WAIT = 10.0


def sign_in(
    registry: str, credential: Credential, options: CopyOptions, reporter: Reporter
) -> bool:
    """Ask a registry whether it lets a user in, with the one request that every registry has.

    Gives whether it wanted to know who asks. Raises `AccessDenied`, and what any request may.
    The rule is the distribution specification's "Determining Support" (end-1).
    """
    wanted = threading.Event()

    def find(_repository: str) -> Credential:
        wanted.set()
        return credential

    session = open_session(registry, Side.TARGET, options, find, reporter, threading.Event())
    try:
        answer = session.ask(Request("GET", ""))
        if not answer.ok:
            raise error_of(answer)
    except RegimportError as error:
        raise error.located(None, registry) from error
    finally:
        session.close()
    return wanted.is_set()


def open_session(
    registry: str,
    side: Side,
    options: CopyOptions,
    keys: Keys | FindCredential,
    reporter: Reporter,
    stop: threading.Event,
    pace: Pace | None = None,
) -> Session:
    """Open a session with a registry, reached as the options and the environment say.

    Raises `InvalidConfig` for a certificate or a key that cannot be used.
    """
    network = options.network
    contexts = Contexts(network, registry, side, endpoint_of(registry, options).origin)
    contexts.check()
    if contexts.insecure:
        reporter.tell(
            Warned(f"the certificate of {registry} is not checked: anybody could be there")
        )
    carrier = _carrier(Dialer(contexts, Proxies(os.environ), network.resolve), options)
    return Session(registry, side, options, keys, reporter, stop, carrier, pace)


def _carrier(dialer: Dialer, options: CopyOptions) -> Carrier:
    if options.transport != "httpx":
        return Transport(dialer)
    if options.network.resolve:
        raise InvalidOptions(
            "httpx's transport cannot be told where a host is",
            hint="leave --resolve out, or --transport",
        )
    # Imported where it is asked for: httpx takes as long to load as all the rest.
    from regimport.registry.stock import StockTransport  # noqa: PLC0415

    return StockTransport(dialer=dialer)


def pace_of(registry: str, options: CopyOptions) -> Pace | None:
    """Give what spaces the requests to a registry; None where its settings ask for none."""
    rate = options.network.of(registry).request_rate
    return None if rate is None else Pace(rate)


def keys_of(keychain: Keychain, side: Side, registry: str) -> Keys:
    """Give what a session asks for the credentials of a registry."""
    return Keys(
        partial(keychain.find, side, registry),
        partial(keychain.renew, side, registry),
        partial(keychain.remark, side, registry),
    )


def mirror_keychain(options: CopyOptions, reporter: Reporter) -> Keychain:
    """Give the credentials for mirrors: what was given for a side is for its registry alone."""
    environ = {name: os.environ[name] for name in os.environ if not name.startswith(_OURS)}
    return Keychain({}, lambda text: reporter.tell(Warned(text)), environ, options.authfile)


def mirror_session(
    url: str,
    options: CopyOptions,
    keychain: Keychain,
    reporter: Reporter,
    stop: threading.Event,
) -> Session:
    """Open a session with a mirror, which is shown no certificate that is for the registry."""
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
    return open_session(
        host,
        Side.SOURCE,
        replace(options, retry=retry, network=network),
        keys_of(keychain, Side.SOURCE, host),
        reporter,
        stop,
        pace_of(host, options),
    )
