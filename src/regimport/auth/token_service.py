"""The service that issues tokens, and what it is sent.

The requests are those of the distribution project's token specification (spec/auth/token.md and
oauth.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from regimport.auth.entra import FORM, EntraExchange, Fetch, refresh_grant
from regimport.auth.scopes import Scopes
from regimport.errors import AccessDenied, RegistryError
from regimport.models.credential import Credential, is_token
from regimport.redact import safe_url
from regimport.secrets_sent import SENT
from regimport.transport.answers import Answer
from regimport.transport.origins import MAX_REDIRECTS, Origin, redirect_target
from regimport.values import dataclass

__all__ = ["LONGEST_LIFE", "Realm", "TokenService", "read_token"]

# The longest that a token is used, in seconds.
LONGEST_LIFE = 86_400.0
_CLIENT_ID = "regimport"
# How long a token is valid if the answer does not say (token.md, `expires_in`), in seconds.
_DEFAULT_LIFE = 60.0
_REDIRECTS = frozenset({301, 302, 307, 308})


@dataclass(frozen=True, slots=True)
class Realm:
    """The service that issues tokens, as a challenge names it; `scopes` are the challenge's."""

    url: str
    service: str
    scopes: Scopes

    @property
    def origin(self) -> Origin:
        """Where credentials may go."""
        return Origin.of(self.url)


class TokenService:
    """Asks for tokens; credentials go to the origin of the realm alone."""

    def __init__(self, registry: Origin, fetch: Fetch) -> None:
        self._fetch = fetch
        self._entra = EntraExchange(registry, self._send)

    def ask(self, realm: Realm, scopes: Scopes, credential: Credential | None) -> Answer:
        """Return the answer to a request for a token with these scopes.

        Raise `AccessDenied` where a credential would have to leave the origin of the realm, and
        `RegistryError` for a redirect that is not followed.
        """
        if credential is not None and credential.entra_token:
            answer = self._entra.exchange(realm.url, realm.service, credential.entra_token)
            if isinstance(answer, str):
                return self._post(realm, scopes, refresh_grant(answer))
            if not credential.password:
                return answer
            # It may be a token of the registry itself, which is accepted as a password.
        if credential is not None and credential.identity_token:
            return self._post(realm, scopes, refresh_grant(credential.identity_token))
        answer = self._get(realm, scopes, credential)
        if answer.status in {404, 405} and credential is not None:
            # A token service that supports only POST (oauth.md).
            grant = {
                "grant_type": "password",
                "username": credential.username,
                "password": credential.password,
            }
            return self._post(realm, scopes, grant)
        return answer

    def _get(self, realm: Realm, scopes: Scopes, credential: Credential | None) -> Answer:
        query = [("service", realm.service)] if realm.service else []
        query += [("scope", scope) for scope in scopes]
        headers = {}
        if credential is not None:
            query += [("account", credential.username), ("client_id", _CLIENT_ID)]
            headers["Authorization"] = credential.basic()
        separator = "&" if urlsplit(realm.url).query else "?"
        return self._send("GET", f"{realm.url}{separator}{urlencode(query)}", headers, b"")

    def _post(self, realm: Realm, scopes: Scopes, grant: Mapping[str, str]) -> Answer:
        form = {
            **grant,
            "service": realm.service,
            "client_id": _CLIENT_ID,
            "scope": " ".join(scopes),
        }
        return self._send("POST", realm.url, FORM, urlencode(form).encode())

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request, and follow its redirects; on another origin, without credentials."""
        first, home = url, Origin.of(url)
        SENT.add_form(body)
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._fetch(method, url, headers, body)
            if answer.status not in _REDIRECTS:
                return answer
            url = redirect_target(url, answer.headers.get("location", ""))
            if Origin.of(url) != home:
                if body:
                    raise AccessDenied(
                        f"the token service at {safe_url(first)} redirects to {safe_url(url)}, "
                        "on another host, where no credentials are sent",
                        hint="ask who runs the registry",
                    )
                # Not even if another redirect leads back.
                headers = {}
        raise RegistryError(
            f"the token service at {safe_url(first)} redirected more than {MAX_REDIRECTS} times",
            method=method,
            url=safe_url(url),
        )


def read_token(answer: Answer) -> tuple[str, float]:
    """Return the token in an answer, and for how many seconds it is valid.

    Raise `RegistryError` if there is none.
    """
    try:
        document = json.loads(answer.body)
        token = document.get("token") or document.get("access_token")
        life = document.get("expires_in")
    except (ValueError, AttributeError, RecursionError):
        token, life = None, None
    if not isinstance(token, str) or not token or not is_token(token):
        raise RegistryError(
            f"the token service at {safe_url(answer.url)} returned no valid token",
            method=answer.method,
            url=safe_url(answer.url),
            status=answer.status,
        )
    SENT.add(token)
    known = isinstance(life, (int, float)) and not isinstance(life, bool) and life > 0
    return token, float(min(life, LONGEST_LIFE)) if known else _DEFAULT_LIFE
