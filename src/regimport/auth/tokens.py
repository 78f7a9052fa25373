"""The Authorization header for one registry: Basic credentials, or tokens kept by scope.

The flow is that of the distribution project's token specification (spec/auth/token.md and
oauth.md): the answer to an unauthorized request names the realm that issues tokens; from then on a
token is fetched before it is needed and renewed before it expires.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from http import HTTPStatus

from regimport.auth.challenge import Challenge
from regimport.auth.entra import Fetch
from regimport.auth.lookup import CredentialLookup
from regimport.auth.scopes import Scopes, further_scopes, is_foreign, repository_of, scopes_of
from regimport.auth.token_service import LONGEST_LIFE, Realm, TokenService, read_token
from regimport.errors import AccessDenied, RateLimited, RegistryError, Unreachable, UsageError
from regimport.models.credential import Credential
from regimport.redact import safe_url
from regimport.transport.answers import Answer, error_of, refusal_of
from regimport.transport.origins import Origin, check_realm
from regimport.values import dataclass, field

__all__ = ["Authorizer", "Fetch", "Scopes"]

# A token is used for this part of its lifetime; then a new one is fetched.
_USABLE = 0.8
_REFUSALS = frozenset({400, 401, 403})
# The answers of a place where no token service is.
_NO_SERVICE = frozenset({404, 405, 410})
# One renewal for a credential that expired, and one for doing without if it is refused again.
_MOST_RENEWALS = 2


@dataclass(slots=True)
class _Slot:
    """The token for one set of scopes, and a lock so that it is requested only once."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str = field(default="", repr=False)
    usable_until: float = 0.0
    # Whether the registry refused a new token: another one would be refused too.
    settled: bool = False
    refused: AccessDenied | None = None
    # The scopes that the registry named, where it calls the repository by another name.
    named: Scopes = ()


class Authorizer:
    """Provides the Authorization header for a registry; one for each side, shared by threads."""

    def __init__(self, origin: Origin, lookup: CredentialLookup, fetch: Fetch) -> None:
        self._origin = origin
        self._lookup = lookup
        self._service = TokenService(origin, fetch)
        self._lock = threading.Lock()
        self._slots: dict[Scopes, _Slot] = {}
        self._realm: Realm | None = None
        # Realms where no token service answers.
        self._dead: set[str] = set()
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
            return self._bearer(self._realm, scopes, named=(), rejected=None)
        if self._basic:
            credential = _checked(self._lookup.find(repository_of(scopes)))
            basic = None if credential is None else credential.basic()
            if basic in self._refused:
                raise self._refused[basic]
            return basic
        return None

    def has_credential(self, scopes: Scopes) -> bool:
        """Return whether there is a credential at hand, which the registry has not asked for."""
        look = self._lookup.peek or self._lookup.find
        try:
            return look(repository_of(scopes)) is not None
        except UsageError:
            # Raised where the registry asks for it.
            return False

    def renew(
        self, challenges: Sequence[Challenge], scopes: Scopes, rejected: str | None
    ) -> str | None:
        """Return the Authorization header that answers `challenges`, after `rejected` was refused.

        None if no challenge has a scheme that is supported. Basic is answered where it is offered
        beside a token service that does not exist. Raise `AccessDenied` if there is no credential,
        if it cannot be sent, or if it was refused.
        """
        basic = any(challenge.scheme == "basic" for challenge in challenges)
        for challenge in challenges:
            if challenge.scheme != "bearer" or not challenge.params.get("realm"):
                continue
            realm = self._realm_of(challenge)
            if basic and realm.url in self._dead:
                continue
            try:
                header = self._bearer(realm, scopes, named=realm.scopes, rejected=rejected)
            except (RegistryError, Unreachable) as error:
                if not basic or not _is_no_service(error):
                    self._realm = realm
                    raise
                self._dead.add(realm.url)
            else:
                self._realm = realm
                return header
        if basic:
            return self._answer_basic(scopes, rejected)
        return None

    def is_called_otherwise(self, challenges: Sequence[Challenge], scopes: Scopes) -> bool:
        """Return whether `challenges` name a scope for another repository, not asked for yet.

        Artifactory, for one, may serve the repository `app` as `tenant/app`.
        """
        slot = self._slots.get(scopes)
        named = next((scopes_of(found) for found in challenges if found.scheme == "bearer"), ())
        return slot is not None and slot.named != named and is_foreign(named, scopes)

    def settle(self, scopes: Scopes) -> None:
        """Keep the token for `scopes` until it expires: the registry has refused a new one."""
        with self._lock:
            slot = self._slots.get(scopes)
        if slot is not None:
            slot.settled = True

    def _realm_of(self, challenge: Challenge) -> Realm:
        return Realm(
            check_realm(challenge.params["realm"], self._origin),
            challenge.params.get("service", ""),
            scopes_of(challenge),
        )

    def _answer_basic(self, scopes: Scopes, rejected: str | None) -> str:
        repository = repository_of(scopes)
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

    def _bearer(self, realm: Realm, scopes: Scopes, *, named: Scopes, rejected: str | None) -> str:
        """Return the token for `scopes`; `named` are those of the challenge to this request."""
        with self._lock:
            slot = self._slots.setdefault(scopes, _Slot())
        with slot.lock:
            if slot.refused is not None:
                raise slot.refused
            usable = slot.token and time.monotonic() < slot.usable_until
            refused = bool(slot.token) and rejected == f"Bearer {slot.token}"
            if not usable or (refused and not slot.settled):
                slot.settled = slot.settled and bool(usable)
                if refused and is_foreign(named, scopes):
                    slot.named = named
                try:
                    slot.token, life = self._get_token(realm, scopes, slot, named)
                except AccessDenied as error:
                    slot.refused = error
                    raise
                slot.usable_until = time.monotonic() + life * _USABLE
            return f"Bearer {slot.token}"

    def _get_token(
        self, realm: Realm, scopes: Scopes, slot: _Slot, named: Scopes
    ) -> tuple[str, float]:
        repository = repository_of(scopes)
        credential = _checked(self._lookup.find(repository))
        if credential is not None and credential.registry_token:
            return credential.registry_token, LONGEST_LIFE
        wanted = slot.named or (*scopes, *further_scopes(realm.scopes, scopes))
        answer = self._service.ask(realm, wanted, credential)
        if answer.status in _REFUSALS and not slot.named and is_foreign(named, scopes):
            slot.named = wanted = named
            answer = self._service.ask(realm, wanted, credential)
        refusal: AccessDenied | None = None
        for _ in range(_MOST_RENEWALS):
            if answer.status not in _REFUSALS or credential is None:
                break
            refusal = refusal or _refused(answer, realm, credential)
            other = _checked(self._lookup.renew(repository, credential))
            if other == credential:
                break
            credential = other
            answer = self._service.ask(realm, wanted, credential)
        if answer.status in _REFUSALS:
            raise refusal or _refused(answer, realm, credential)
        if answer.status in _NO_SERVICE:
            raise _no_service(answer)
        if not answer.ok:
            raise error_of(answer)
        return read_token(answer)


def _checked(credential: Credential | None) -> Credential | None:
    """Return a credential, or raise `AccessDenied` if it cannot be sent as it is."""
    flaw = None if credential is None else credential.flaw
    if flaw is not None:
        raise AccessDenied(
            f"the credentials for the registry were not sent: {flaw}",
            hint="check them; `regimport auth explain` shows where they come from",
        )
    return credential


def _is_no_service(error: RegistryError | Unreachable) -> bool:
    """Return whether an error says that no token service answers, rather than that it refuses."""
    if isinstance(error, AccessDenied):
        return error.status in _NO_SERVICE
    return not isinstance(error, RateLimited)


def _no_service(answer: Answer) -> AccessDenied:
    return AccessDenied(
        f"the token service at {safe_url(answer.url)} answered {answer.status} "
        f"{HTTPStatus(answer.status).phrase}",
        method=answer.method,
        url=safe_url(answer.url),
        status=answer.status,
        hint="the registry names a token service that does not exist; ask who runs it",
    )


def _refused(answer: Answer, realm: Realm, credential: Credential | None) -> AccessDenied:
    if credential is None:
        return _needs_credential(answer.status)
    if Origin.of(answer.url) != realm.origin:
        return AccessDenied(
            f"the token service at {safe_url(realm.url)} redirects to {safe_url(answer.url)}, on "
            f"another host, where no credentials are sent: {refusal_of(answer)}",
            status=answer.status,
            hint="ask who runs the registry",
        )
    return AccessDenied(
        f"the token service at {realm.origin.name} refused {credential.described}: "
        f"{refusal_of(answer)}",
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
        hint="log in with `regimport login` or `docker login`, or give `source_credential` or "
        "`target_credential`, or set REGIMPORT_SOURCE_PASSWORD or REGIMPORT_TARGET_PASSWORD with "
        "its user name; the answer may be the same for a repository that does not exist",
    )
