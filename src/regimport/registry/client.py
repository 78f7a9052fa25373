"""One attempt at a request: the authorization that the registry wants, and its redirects."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

from regimport.auth.challenge import Challenge, parse_challenges
from regimport.auth.lookup import CredentialLookup
from regimport.auth.tokens import Authorizer, Fetch
from regimport.errors import AccessDenied, BrokenTransfer, RegimportError, RegistryError
from regimport.options import CopyOptions
from regimport.redact import safe_headers, safe_url
from regimport.registry.endpoint import Endpoint, endpoint_of
from regimport.registry.request import Request, drain, to_httpx, url_of
from regimport.registry.retry import unreachable
from regimport.secrets_sent import SENT
from regimport.transport.answers import REDIRECTS_OF_WRITES
from regimport.transport.origins import (
    MAX_REDIRECTS,
    Origin,
    endless_redirect,
    redirect_target,
    redirected_write,
)
from regimport.transport.pool import PooledTransport

if TYPE_CHECKING:
    from regimport.registry.loopback import GuessedScheme

__all__ = ["AuthenticatedClient"]

_LOG = logging.getLogger(__name__)

# For the scopes of the request, and for those that the registry names.
_MOST_TOKENS = 2
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAYBE_HIDDEN = frozenset({401, 403, 404})
# How storage answers to a URL whose signature it does not accept, or not any more.
_REFUSED_URL = frozenset({400, 403, 404})


class AuthenticatedClient:
    """Sends requests to one registry and returns what is answered, once each."""

    def __init__(
        self,
        registry: str,
        options: CopyOptions,
        lookup: CredentialLookup,
        fetch: Fetch,
        transport: httpx.BaseTransport,
    ) -> None:
        self.registry = registry
        self._timeouts = options.timeouts
        self._lookup = lookup
        self._fetch = fetch
        self._transport = transport
        self._endpoint = endpoint_of(registry, options)
        self._guess: GuessedScheme | None = None
        self._settling = threading.Lock()
        # What the registry asks for at /v2/, once that was looked at.
        self._learned: tuple[Challenge, ...] | None = None
        self._speak(self._endpoint)
        if self._endpoint.guessed:
            # Imported for registries on this machine.
            from regimport.registry.loopback import GuessedScheme  # noqa: PLC0415

            self._guess = GuessedScheme(self._endpoint, self._carry, self._speak, self._settling)

    def __repr__(self) -> str:
        return f"<AuthenticatedClient {self._base}: {self._authorizer!r}>"

    @property
    def refused(self) -> AccessDenied | None:
        """The error, if the registry has refused the credentials for good."""
        return self._authorizer.refused

    def warm(self) -> None:
        """Open a connection ahead of need, where the transport can."""
        if isinstance(self._transport, PooledTransport):
            with suppress(httpx.TransportError):
                # The request that needs it will get the error.
                self._transport.warm(self._base, self._timeouts.connect)

    def url_of(self, request: Request) -> str:
        """Return the absolute URL of a request."""
        absolute = request.url.startswith(("http://", "https://"))
        return request.url if absolute else f"{self._base}/v2/{request.url}"

    def open(self, request: Request) -> httpx.Response:
        """Make one attempt, with the authorization that the registry turns out to want.

        Raise `Transient` or `Unreachable` where no answer came, `AccessDenied` where there is
        no credential that would do, `BrokenTransfer` where a body would have to be sent again.
        """
        url = self.url_of(request)
        if request.anonymous:
            return self._follow(request, url, None)
        own = Origin.of(url) == self._origin
        sent = self._authorizer.header(request.scopes) if own else None
        response = self._first(partial(self._follow, request, url, sent), url, own=own)
        if response is None:
            return self.open(request)
        first = sent
        for _ in range(_MOST_TOKENS):
            try:
                challenges = self._challenges(request, response, sent)
                if not challenges and own and sent is None:
                    challenges = self._learn(request, response)
                fresh = self._authorizer.renew(challenges, request.scopes, sent)
            except BaseException:
                response.close()
                raise
            if fresh is None or fresh == sent:
                return response
            drain(response)
            if request.content is not None:
                raise BrokenTransfer(f"{self.registry} asked for a new token in mid-transfer")
            response, sent = self._follow(request, url, fresh), fresh
            challenges = self._challenges(request, response, sent)
            if not self._authorizer.is_called_otherwise(challenges, request.scopes):
                break
        refused = response.status_code == HTTPStatus.UNAUTHORIZED or first is not None
        if refused and self._challenges(request, response, sent):
            self._authorizer.settle(request.scopes)
        return response

    def _first(
        self, send: Callable[[], httpx.Response], url: str, *, own: bool
    ) -> httpx.Response | None:
        """Send a request; return None if TLS is spoken there, not plain http, from now on."""
        if self._guess is None or not own or not url.startswith("http:"):
            return send()
        return self._guess.try_http(send)

    def open_as_is(self, request: Request) -> httpx.Response:
        """Make one attempt with the authorization at hand, whatever is answered to it."""
        return self._follow(
            request, self.url_of(request), self._authorizer.header(request.scopes), anew=False
        )

    def send_elsewhere(self, request: Request, url: str) -> httpx.Response:
        """Send a request to a token service, with all the headers it has."""
        return self._carry(request, url, None, own=True)

    def _carry(
        self, request: Request, url: str, authorization: str | None, *, own: bool
    ) -> httpx.Response:
        started = time.monotonic()
        try:
            built = to_httpx(request, url, authorization, self._timeouts, own=own)
            if Origin.of(url) != self._origin:
                built.extensions["sent_by"] = self._origin.host
            response = self._transport.handle_request(built)
        except httpx.LocalProtocolError:
            # The words of a transport may quote a header.
            failed = RegimportError(f"a request to {self.registry} holds what HTTP cannot carry")
            raise failed from None
        except httpx.TransportError as error:
            there = Origin.of(url)
            host = self.registry if there == self._origin else there.name
            raise unreachable(error, host) from error
        response.request = built
        SENT.add_url(response.headers.get("location", ""))
        # Other transports do not measure it, so here it includes the handshake.
        response.extensions.setdefault("round_trip", time.monotonic() - started)
        if _LOG.isEnabledFor(logging.DEBUG):
            shown, headers = safe_url(url), safe_headers(response.headers)
            _LOG.debug("%s %s: %d %s", built.method, shown, response.status_code, headers)
        return response

    def _speak(self, endpoint: Endpoint) -> None:
        self._base = endpoint.url
        self._origin = Origin.of(self._base)
        self._authorizer = Authorizer(self._origin, self._lookup, self._fetch)

    def _challenges(
        self, request: Request, response: httpx.Response, sent: str | None
    ) -> tuple[Challenge, ...]:
        """Return what the registry asks for; nothing where it is not the registry that asks."""
        status = response.status_code
        if status not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return ()
        if Origin.of(url_of(response)) != self._origin:
            return ()
        values = response.headers.get_list("www-authenticate")
        challenges = parse_challenges(", ".join(values))
        if status == HTTPStatus.FORBIDDEN and sent is not None:
            # What was sent is good, but not for this: worth a token with more scopes, once.
            wider = self._authorizer.is_called_otherwise(challenges, request.scopes)
            lacking = [c for c in challenges if c.params.get("error") == "insufficient_scope"]
            return challenges if wider else tuple(lacking)
        return challenges

    def _learn(self, request: Request, response: httpx.Response) -> tuple[Challenge, ...]:
        """Return what the registry asks for at /v2/, which is looked at once.

        That is done where it refuses a request, or says that there is nothing, without saying how
        to log in, and there is a credential for it: some hide what only users may see.
        """
        if response.status_code not in _MAYBE_HIDDEN or Origin.of(url_of(response)) != self._origin:
            return ()
        if not request.url or request.content is not None:
            return ()
        if not self._authorizer.has_credential(request.scopes):
            return ()
        with self._settling:
            if self._learned is None:
                probe = Request("GET", f"{self._base}/v2/")
                answered = self._follow(probe, probe.url, None)
                try:
                    self._learned = self._challenges(probe, answered, None)
                finally:
                    drain(answered)
            return self._learned

    def _follow(
        self, request: Request, url: str, authorization: str | None, *, anew: bool = True
    ) -> httpx.Response:
        """Send a request, and follow its redirects, each request built anew.

        A write follows within its origin only. One with a streaming body is left to the caller,
        who has to start that again. Where storage refuses the URL that a registry has signed, the
        registry is asked for another one, once.
        """
        asked = url
        reading = request.method in {"GET", "HEAD"}
        followed = _REDIRECTS if reading else REDIRECTS_OF_WRITES
        for _ in range(MAX_REDIRECTS + 1):
            own = Origin.of(url) == self._origin
            response = self._carry(request, url, authorization, own=own)
            if response.status_code not in followed:
                if Origin.of(url) == Origin.of(asked):
                    return response
                if anew and response.status_code in _REFUSED_URL:
                    drain(response)
                    return self._follow(request, asked, authorization, anew=False)
                response.extensions["asked"] = asked
                return response
            location = response.headers.get("location", "")
            try:
                there = redirect_target(url, location)
            except RegistryError:
                response.close()
                raise
            away = Origin.of(there) != Origin.of(url)
            if request.content is not None and not away:
                return response
            drain(response)
            if away and not reading:
                raise redirected_write(request.method, url, response.status_code, there)
            url = there
        raise endless_redirect(request.method, asked)
