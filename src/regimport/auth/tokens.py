"""The Authorization header for one registry: Basic credentials, or tokens kept by scope.

The flow is that of the distribution project's token specification (spec/auth/token.md and
oauth.md): the answer to an unauthorized request names the realm that issues tokens; from then on a
token is fetched before it is needed and renewed before it expires.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode, urlsplit

from regimport.auth.challenge import Challenge
from regimport.auth.entra import FORM, EntraExchange, Fetch, refresh_grant
from regimport.auth.lookup import CredentialLookup
from regimport.errors import AccessDenied, RegistryError
from regimport.models.credential import Credential, is_token
from regimport.redact import safe_url
from regimport.transport.answers import Answer, error_of
from regimport.transport.origins import Origin, check_realm
from regimport.values import dataclass, field

__all__ = ["Authorizer", "Fetch", "Scopes"]

# The resource scopes a request needs, e.g. ("repository:library/alpine:pull",).
Scopes = tuple[str, ...]
_CLIENT_ID = "regimport"
# How long a token is valid if the answer does not say (token.md, `expires_in`), in seconds.
_DEFAULT_LIFE = 60.0
_LONGEST_LIFE = 86_400.0
# A token is used for this part of its lifetime; then a new one is fetched.
_USABLE = 0.8
_REFUSALS = frozenset({400, 401, 403})
# One renewal for a credential that expired, and one for doing without if it is refused again.
_MOST_RENEWALS = 2


@dataclass(slots=True)
class _Slot:
    """The token for one set of scopes, and a lock so that it is requested only once."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str = ""
    usable_until: float = 0.0
    # Whether the registry refused a new token: another one would be refused too.
    settled: bool = False
    refused: AccessDenied | None = None


@dataclass(frozen=True, slots=True)
class _Realm:
    """The service that issues tokens, as a challenge names it."""

    url: str
    service: str
    extra: Scopes


class Authorizer:
    """Provides the Authorization header for a registry; one for each side, shared by threads."""

    def __init__(self, origin: Origin, lookup: CredentialLookup, fetch: Fetch) -> None:
        self._origin = origin
        self._lookup = lookup
        self._fetch = fetch
        self._entra = EntraExchange(origin, fetch)
        self._lock = threading.Lock()
        self._slots: dict[Scopes, _Slot] = {}
        self._realm: _Realm | None = None
        self._basic = False
        # By the refused header: repositories may have credentials of their own.
        self._refused: dict[str, AccessDenied] = {}

    def __repr__(self) -> str:
        scheme = "bearer" if self._realm else "basic" if self._basic else "none yet"
        return f"<Authorizer {self._origin}: {scheme}, {len(self._slots)} scopes>"

    @property
    def refused(self) -> AccessDenied | None:
        """The error if the registry has refused a password, None otherwise."""
        return next(iter(self._refused.values()), None)

    def header(self, scopes: Scopes) -> str | None:
        """Return the Authorization header to send, None if the registry has not asked for it."""
        if self._realm is not None:
            return self._bearer(self._realm, scopes, rejected=None)
        if self._basic:
            credential = _checked(self._lookup.find(_repository(scopes)))
            basic = None if credential is None else credential.basic()
            if basic in self._refused:
                raise self._refused[basic]
            return basic
        return None

    def renew(
        self, challenges: Sequence[Challenge], scopes: Scopes, rejected: str | None
    ) -> str | None:
        """Return the Authorization header that answers `challenges`, after `rejected` was refused.

        None if no challenge has a scheme that is supported. Raise `AccessDenied` if there is no
        credential, if it cannot be sent, or if it was refused.
        """
        for challenge in challenges:
            if challenge.scheme == "bearer" and challenge.params.get("realm"):
                realm = self._learn(challenge)
                return self._bearer(realm, scopes, rejected=rejected)
        if any(challenge.scheme == "basic" for challenge in challenges):
            return self._answer_basic(scopes, rejected)
        return None

    def settle(self, scopes: Scopes) -> None:
        """Keep the token for `scopes` until it expires: the registry has refused a new one."""
        with self._lock:
            slot = self._slots.get(scopes)
        if slot is not None:
            slot.settled = True

    def _learn(self, challenge: Challenge) -> _Realm:
        realm = _Realm(
            check_realm(challenge.params["realm"], self._origin),
            challenge.params.get("service", ""),
            tuple(challenge.params.get("scope", "").split()),
        )
        with self._lock:
            self._realm = realm
        return realm

    def _answer_basic(self, scopes: Scopes, rejected: str | None) -> str:
        repository = _repository(scopes)
        credential = _checked(self._lookup.find(repository))
        if credential is not None and credential.basic() == rejected:
            credential = _checked(self._lookup.renew(repository, credential))
        if credential is None:
            raise _needs_credential(401)
        if not credential.username and not credential.password:
            raise AccessDenied(
                f"the registry wants a user name and a password, but there is only "
                f"{credential.described}",
                status=401,
                hint="log in there with a user name and a password",
            )
        header = credential.basic()
        if header == rejected:
            self._refused[header] = AccessDenied(
                f"the registry refused the credentials of {credential.username!r}",
                status=401,
                hint="check them; `regimport auth explain` shows where they come from",
            )
            raise self._refused[header]
        self._basic = True
        return header

    def _bearer(self, realm: _Realm, scopes: Scopes, rejected: str | None) -> str:
        with self._lock:
            slot = self._slots.setdefault(scopes, _Slot())
        with slot.lock:
            if slot.refused is not None:
                raise slot.refused
            usable = slot.token and time.monotonic() < slot.usable_until
            if not usable or (rejected == f"Bearer {slot.token}" and not slot.settled):
                slot.settled = slot.settled and bool(usable)
                try:
                    slot.token, life = self._get_token(realm, scopes)
                except AccessDenied as error:
                    slot.refused = error
                    raise
                slot.usable_until = time.monotonic() + life * _USABLE
            return f"Bearer {slot.token}"

    def _get_token(self, realm: _Realm, scopes: Scopes) -> tuple[str, float]:
        repository = _repository(scopes)
        credential = _checked(self._lookup.find(repository))
        if credential is not None and credential.registry_token:
            return credential.registry_token, _LONGEST_LIFE
        wanted = tuple(dict.fromkeys((*scopes, *_further_scopes(realm.extra, scopes))))
        answer = self._ask(realm, wanted, credential)
        refusal: AccessDenied | None = None
        for _ in range(_MOST_RENEWALS):
            if answer.status not in _REFUSALS or credential is None:
                break
            refusal = refusal or _refused(answer, credential)
            other = _checked(self._lookup.renew(repository, credential))
            if other == credential:
                break
            credential = other
            answer = self._ask(realm, wanted, credential)
        if answer.status in _REFUSALS:
            raise refusal or _refused(answer, credential)
        if not answer.ok:
            raise error_of(answer)
        return _read_token(answer)

    def _ask(self, realm: _Realm, scopes: Scopes, credential: Credential | None) -> Answer:
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

    def _get(self, realm: _Realm, scopes: Scopes, credential: Credential | None) -> Answer:
        query = [("service", realm.service)] if realm.service else []
        query += [("scope", scope) for scope in scopes]
        headers = {}
        if credential is not None:
            query += [("account", credential.username), ("client_id", _CLIENT_ID)]
            headers["Authorization"] = credential.basic()
        separator = "&" if urlsplit(realm.url).query else "?"
        return self._fetch("GET", f"{realm.url}{separator}{urlencode(query)}", headers, b"")

    def _post(self, realm: _Realm, scopes: Scopes, grant: Mapping[str, str]) -> Answer:
        form = {
            **grant,
            "service": realm.service,
            "client_id": _CLIENT_ID,
            "scope": " ".join(scopes),
        }
        return self._fetch("POST", realm.url, FORM, urlencode(form).encode())


def _checked(credential: Credential | None) -> Credential | None:
    """Return a credential, or raise `AccessDenied` if it cannot be sent as it is."""
    flaw = None if credential is None else credential.flaw
    if flaw is not None:
        raise AccessDenied(
            f"the credentials for the registry were not sent: {flaw}",
            hint="check them; `regimport auth explain` shows where they come from",
        )
    return credential


def _repository(scopes: Scopes) -> str:
    """Return the first repository that a set of scopes names."""
    return scopes[0].split(":")[1] if scopes and scopes[0].count(":") >= 2 else ""


def _further_scopes(challenged: Scopes, scopes: Scopes) -> Scopes:
    """Return the further scopes of a challenge, except those for the repository of a request."""
    return tuple(
        scope for scope in challenged if not scope.startswith("repository:") and scope not in scopes
    )


def _read_token(answer: Answer) -> tuple[str, float]:
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
    known = isinstance(life, (int, float)) and not isinstance(life, bool) and life > 0
    return token, float(min(life, _LONGEST_LIFE)) if known else _DEFAULT_LIFE


def _refused(answer: Answer, credential: Credential | None) -> AccessDenied:
    if credential is None:
        return _needs_credential(answer.status)
    return AccessDenied(
        f"the token service refused {credential.described}: {error_of(answer).message}",
        method=answer.method,
        url=safe_url(answer.url),
        status=answer.status,
        hint="check them, and their rights on this repository; `regimport auth explain` "
        "shows where they come from",
    )


def _needs_credential(status: int) -> AccessDenied:
    return AccessDenied(
        "the registry wants credentials, but there are none for it",
        status=status,
        hint="log in with `regimport login` or `docker login`, or give --source-username / "
        "--target-username and the matching --…-password-stdin or REGIMPORT_…_PASSWORD; the "
        "answer may be the same for a repository that does not exist",
    )
