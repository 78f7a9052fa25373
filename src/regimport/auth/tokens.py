"""How one registry is entered: Basic credentials, or tokens kept per scope.

The flow is that of the distribution project's token specification (spec/auth/token.md and
oauth.md): a refused request names the realm that gives out tokens; from then on a token is
fetched before it is needed and renewed before it runs out.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from regimport.auth.challenge import Challenge
from regimport.auth.entra import FORM, EntraExchange, Fetch, refresh_grant
from regimport.auth.lookup import CredentialLookup
from regimport.errors import AccessDenied, RegistryError
from regimport.models.credential import Credential
from regimport.redact import safe_url
from regimport.transport.answers import Answer, error_of
from regimport.transport.origins import Origin, check_realm

__all__ = ["Authorizer", "Fetch", "Scopes"]

# The resource scopes a request needs, e.g. ("repository:library/alpine:pull",).
Scopes = tuple[str, ...]
_CLIENT_ID = "regimport"
# The life of a token whose answer does not say (token.md, `expires_in`), in seconds.
_DEFAULT_LIFE = 60.0
_LONGEST_LIFE = 86_400.0
# The part of its life in which a token is used; a new one is fetched after that.
_USABLE = 0.8
_REFUSALS = frozenset({400, 401, 403})
# One that ran out is renewed; one that is refused even so may have to be done without.
_MOST_RENEWALS = 2


@dataclass(slots=True)
class _Slot:
    """The token for one set of scopes, and the lock that keeps its requests single."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str = ""
    usable_until: float = 0.0
    # Whether the registry refused a token that was new: another one would do no better.
    settled: bool = False
    refused: AccessDenied | None = None


@dataclass(frozen=True, slots=True)
class _Realm:
    """Where tokens come from."""

    url: str
    service: str
    extra: Scopes


class Authorizer:
    """Knows what Authorization a registry wants; one for each side, shared by its threads."""

    def __init__(self, origin: Origin, lookup: CredentialLookup, fetch: Fetch) -> None:
        self._origin = origin
        self._lookup = lookup
        self._fetch = fetch
        self._entra = EntraExchange(origin, fetch)
        self._lock = threading.Lock()
        self._slots: dict[Scopes, _Slot] = {}
        self._realm: _Realm | None = None
        self._basic = False
        # By the header that was refused: repositories may have credentials of their own.
        self._refused: dict[str, AccessDenied] = {}

    def __repr__(self) -> str:
        scheme = "bearer" if self._realm else "basic" if self._basic else "none yet"
        return f"<Authorizer {self._origin}: {scheme}, {len(self._slots)} scopes>"

    @property
    def refused(self) -> AccessDenied | None:
        """The error, if the registry has refused a password for good."""
        return next(iter(self._refused.values()), None)

    def header(self, scopes: Scopes) -> str | None:
        """Give the Authorization to send now, None as long as the registry asked for none."""
        if self._realm is not None:
            return self._bearer(self._realm, scopes, rejected=None)
        if self._basic:
            credential = self._lookup.find(_repository(scopes))
            basic = None if credential is None else credential.basic()
            if basic in self._refused:
                raise self._refused[basic]
            return basic
        return None

    def renew(
        self, challenges: Sequence[Challenge], scopes: Scopes, rejected: str | None
    ) -> str | None:
        """Give the Authorization that answers `challenges`, after `rejected` was not enough.

        None where the registry asks for nothing that can be given. Raises `AccessDenied` where
        there is no credential, or where it was refused.
        """
        for challenge in challenges:
            if challenge.scheme == "bearer" and challenge.params.get("realm"):
                realm = self._learn(challenge)
                return self._bearer(realm, scopes, rejected=rejected)
        if any(challenge.scheme == "basic" for challenge in challenges):
            return self._answer_basic(scopes, rejected)
        return None

    def settle(self, scopes: Scopes) -> None:
        """Ask for no more tokens for `scopes` while the one there lasts: a new one was refused."""
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
        credential = self._lookup.find(repository)
        if credential is not None and credential.basic() == rejected:
            credential = self._lookup.renew(repository, credential)
        if credential is None:
            raise _needs_credential(401)
        if not credential.username and not credential.password:
            raise AccessDenied(
                f"the registry wants a user name and a password; there is {credential.described}",
                status=401,
                hint="log in there with a user name and a password",
            )
        header = credential.basic()
        if header == rejected:
            self._refused[header] = AccessDenied(
                f"the registry refused the credentials of {credential.username!r}",
                status=401,
                hint="check them; `regimport auth explain` tells where they come from",
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
        credential = self._lookup.find(repository)
        if credential is not None and credential.registry_token:
            return credential.registry_token, _LONGEST_LIFE
        wanted = tuple(dict.fromkeys((*scopes, *_widened(realm.extra, scopes))))
        answer = self._ask(realm, wanted, credential)
        refusal: AccessDenied | None = None
        for _ in range(_MOST_RENEWALS):
            if answer.status not in _REFUSALS or credential is None:
                break
            refusal = refusal or _refused(answer, credential)
            other = self._lookup.renew(repository, credential)
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
            # What was given may be the registry's own token instead, which it takes as a password.
        if credential is not None and credential.identity_token:
            return self._post(realm, scopes, refresh_grant(credential.identity_token))
        answer = self._get(realm, scopes, credential)
        if answer.status in {404, 405} and credential is not None:
            # A token service that has only the OAuth2 form.
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


def _repository(scopes: Scopes) -> str:
    """Give the repository that a set of scopes is about: the first one named."""
    return scopes[0].split(":")[1] if scopes and scopes[0].count(":") >= 2 else ""


def _widened(challenged: Scopes, scopes: Scopes) -> Scopes:
    """Give the scopes of a challenge that are not about some other request's repository."""
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
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise RegistryError(
            f"the token service at {safe_url(answer.url)} gave no token",
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
        hint="check them, and their rights on this repository; `regimport auth explain` tells "
        "where they come from",
    )


def _needs_credential(status: int) -> AccessDenied:
    return AccessDenied(
        "the registry wants credentials, and there are none for it",
        status=status,
        hint="log in with `regimport login` or `docker login`, or give --source-username / "
        "--target-username and the matching --…-password-stdin or REGIMPORT_…_PASSWORD; a "
        "repository that does not exist may also look like this",
    )
