"""A registry on this machine is spoken to with plain http, unless its first answer asks for TLS."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

import httpx

from regimport.errors import RegimportError
from regimport.registry.endpoint import Endpoint
from regimport.registry.request import SMALL, Request, drain
from regimport.registry.retry import Transient
from regimport.transport.answers import read_answer
from regimport.transport.diagnosis import root_cause
from regimport.transport.socket_errors import CLOSED

__all__ = ["GuessedScheme"]

# How long a registry on this machine may take to answer with TLS, in seconds: one without waits.
_PROBE_SECONDS = 2.0
# What plain http ends with where a server hangs up, or sends an alert of TLS, which is no HTTP.
_BROKEN_OFF = (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError)


class _Carry(Protocol):
    def __call__(
        self, request: Request, url: str, authorization: str | None, *, own: bool
    ) -> httpx.Response: ...


class GuessedScheme:
    """Finds out whether a registry on this machine requires TLS.

    `carry` sends one request, `speak` is called with the endpoint of TLS if it is required, under
    the lock `settling`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        carry: _Carry,
        speak: Callable[[Endpoint], None],
        settling: threading.Lock,
    ) -> None:
        self._plain = endpoint
        self._secure = endpoint.with_tls()
        self._carry = carry
        self._speak = speak
        self._settling = settling
        # Whether it may require TLS all the same; once it is known to do so, it does.
        self._may_speak_tls = True
        self._speaks_tls = False

    def try_http(self, send: Callable[[], httpx.Response]) -> httpx.Response | None:
        """Send a request with plain http; return None if TLS is spoken there, from now on."""
        broken: Exception
        try:
            response = send()
        except (Transient, RegimportError) as error:
            # Looked into behind this block, so that it is no cause of what comes of that.
            broken = error
        else:
            return None if self._is_refused(response) else response
        if self._is_broken_off(broken):
            return None
        raise broken

    def _is_refused(self, response: httpx.Response) -> bool:
        """Return whether plain http was answered with "speak TLS", which is spoken from now on."""
        if response.status_code != HTTPStatus.BAD_REQUEST:
            self._may_speak_tls = False
            return False
        try:
            with self._settling:
                self._speak_tls_if(self._requires_tls)
                self._may_speak_tls = False
        except BaseException:
            response.close()
            raise
        if self._speaks_tls:
            drain(response)
        return self._speaks_tls

    def _is_broken_off(self, error: Exception) -> bool:
        """Return whether plain http broke off where TLS is spoken, which is from now on."""
        if not isinstance(error.__cause__, _BROKEN_OFF):
            return False
        with self._settling:
            self._speak_tls_if(self._has_tls)
        return self._speaks_tls

    def _speak_tls_if(self, probe: Callable[[], bool]) -> None:
        if self._may_speak_tls and probe():
            self._speak(self._secure)
            self._may_speak_tls = False
            self._speaks_tls = True

    def _has_tls(self) -> bool:
        """Ask with TLS; a certificate that is not trusted is TLS, too."""
        probe = Request("GET", f"{self._secure.url}/v2/", timeout=_PROBE_SECONDS)
        try:
            drain(self._carry(probe, probe.url, None, own=True))
        except (Transient, RegimportError) as error:
            cause = root_cause(error)
            # What closes this connection, too, may be about to start; else it has no TLS.
            goes_on = (ssl.SSLCertVerificationError, ssl.SSLEOFError, *CLOSED)
            self._may_speak_tls = isinstance(cause, goes_on)
            return isinstance(cause, ssl.SSLCertVerificationError)
        return True

    def _requires_tls(self) -> bool:
        """Send a GET: its body says that TLS is required, and the answer to a HEAD has none."""
        probe = Request("GET", f"{self._plain.url}/v2/")
        answered = self._carry(probe, probe.url, None, own=True)
        try:
            return b"HTTPS" in read_answer("GET", probe.url, answered, SMALL).body
        except httpx.TransportError:
            return False
        finally:
            answered.close()
