"""Azure's registries: exchange an access token of Microsoft Entra for a refresh token.

The flow is that of Azure's documentation (Azure/acr, docs/AAD-OAuth.md): the registry itself takes
the access token and returns a refresh token, with which its token service issues tokens.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlencode, urljoin

from regimport.errors import AccessDenied, RegistryError
from regimport.models.credential import is_token
from regimport.redact import safe_url
from regimport.transport.answers import Answer
from regimport.transport.origins import Origin

__all__ = ["FORM", "EntraExchange", "Fetch", "refresh_grant"]

# Sends (method, url, headers, body) to a token service, with nothing added; returns the answer.
Fetch = Callable[[str, str, Mapping[str, str], bytes], Answer]

FORM = {"Content-Type": "application/x-www-form-urlencoded"}

# Azure's refresh tokens live for three hours (Azure/acr, docs/AAD-OAuth.md).
_USABLE_SECONDS = 2 * 3600.0


class EntraExchange:
    """Exchanges tokens at one registry, and keeps the result as long as it is valid."""

    def __init__(self, origin: Origin, fetch: Fetch) -> None:
        self._origin = origin
        self._fetch = fetch
        self._lock = threading.Lock()
        self._exchanged = ("", "")
        self._usable_until = 0.0

    def exchange(self, realm: str, service: str, entra_token: str) -> str | Answer:
        """Return the registry's refresh token for an access token of Entra, or the refusal.

        Raise `AccessDenied` if the registry names a token service on another host: both tokens
        are for the registry alone.
        """
        if Origin.of(realm) != self._origin:
            raise AccessDenied(
                f"the registry refers to the token service {safe_url(realm)}, but an access token "
                "of Microsoft Entra may be sent to the registry alone",
                hint="no token was sent; log in with a user name and a password instead",
            )
        with self._lock:
            exchanged, refresh_token = self._exchanged
            if exchanged != entra_token or time.monotonic() > self._usable_until:
                grant = {"grant_type": "access_token", "service": service}
                body = urlencode({**grant, "access_token": entra_token}).encode()
                answer = self._fetch("POST", urljoin(realm, "/oauth2/exchange"), FORM, body)
                if not answer.ok:
                    return answer
                refresh_token = _read(answer)
                self._exchanged = entra_token, refresh_token
                self._usable_until = time.monotonic() + _USABLE_SECONDS
            return refresh_token


def refresh_grant(refresh_token: str) -> Mapping[str, str]:
    """Return the form for getting an access token with a refresh token (RFC 6749, section 6)."""
    return {"grant_type": "refresh_token", "refresh_token": refresh_token}


def _read(answer: Answer) -> str:
    try:
        token = json.loads(answer.body)["refresh_token"]
    except (ValueError, KeyError, TypeError, RecursionError):
        token = None
    if not isinstance(token, str) or not token or not is_token(token):
        raise RegistryError(
            f"the registry at {safe_url(answer.url)} returned no valid refresh token",
            method=answer.method,
            url=safe_url(answer.url),
            status=answer.status,
        )
    return token
