"""Azure's registries: a token of Microsoft Entra is exchanged for one of the registry.

The flow is that of Azure's documentation (Azure/acr, docs/AAD-OAuth.md): the registry itself takes
the token of Entra and gives a refresh token, which its token service takes from then on.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlencode, urljoin

from regimport.errors import AccessDenied, RegistryError
from regimport.redact import safe_url
from regimport.transport.answers import Answer
from regimport.transport.origins import Origin

__all__ = ["FORM", "EntraExchange", "Fetch", "refresh_grant"]

# Sends (method, url, headers, body) to a token service, without more, and gives the answer.
Fetch = Callable[[str, str, Mapping[str, str], bytes], Answer]

FORM = {"Content-Type": "application/x-www-form-urlencoded"}

# Azure's refresh tokens live for three hours (Azure/acr, docs/AAD-OAuth.md).
_USABLE_SECONDS = 2 * 3600.0


class EntraExchange:
    """Exchanges tokens at one registry, each once as long as that lasts."""

    def __init__(self, origin: Origin, fetch: Fetch) -> None:
        self._origin = origin
        self._fetch = fetch
        self._lock = threading.Lock()
        self._exchanged = ("", "")
        self._usable_until = 0.0

    def exchange(self, realm: str, service: str, entra_token: str) -> str | Answer:
        """Give the registry's refresh token for a token of Entra, or the answer that refused it.

        Raises `AccessDenied` where the registry names a token service on another host: no other
        may have either token.
        """
        if Origin.of(realm) != self._origin:
            raise AccessDenied(
                f"the registry sends us for a token to {safe_url(realm)}, but a token of "
                "Microsoft Entra is for the registry alone",
                hint="no token was sent there; log in with a user name and a password instead",
            )
        with self._lock:
            given, refresh_token = self._exchanged
            if given != entra_token or time.monotonic() > self._usable_until:
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
    """Give the form that asks for an access token with a refresh token (RFC 6749, section 6)."""
    return {"grant_type": "refresh_token", "refresh_token": refresh_token}


def _read(answer: Answer) -> str:
    try:
        token = json.loads(answer.body)["refresh_token"]
    except (ValueError, KeyError, TypeError, RecursionError):
        token = None
    if not isinstance(token, str) or not token:
        raise RegistryError(
            f"the registry at {safe_url(answer.url)} gave no refresh token",
            method=answer.method,
            url=safe_url(answer.url),
            status=answer.status,
        )
    return token
