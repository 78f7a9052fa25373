"""Logging in and out, explaining which credentials are used, and asking for rate limits."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import closing

from regimport.auth.lookup import CredentialLookup
from regimport.credentials.keychain import Explanation, Keychain
from regimport.credentials.store import Store
from regimport.errors import AccessDenied, InvalidOptions, InvalidReference, RegimportError, Side
from regimport.events import Reporter, Silent, Warned
from regimport.models.credential import Credential
from regimport.models.mediatype import ACCEPT_MANIFESTS
from regimport.models.ratelimit import RateLimit
from regimport.models.reference import (
    Reference,
    parse_end,
    registry_of,
    with_default_tag,
)
from regimport.opening import running
from regimport.options import CopyOptions
from regimport.registry.request import Request
from regimport.registry.session import Session
from regimport.registry.sessions import open_session
from regimport.transport.answers import error_of

__all__ = ["explain", "login", "logout", "rate_limit"]

# Docker Hub's own image for this question (docs.docker.com, "Docker Hub pull usage and limits").
_PREVIEW = {"docker.io": "docker.io/ratelimitpreview/test:latest"}

_UNAUTHORIZED = 401
_DEFAULTS = CopyOptions()
_SILENT = Silent()


def explain(
    reference: str, *, options: CopyOptions = _DEFAULTS, reporter: Reporter = _SILENT
) -> tuple[Reference, Mapping[Side, Explanation]]:
    """Return, for each side, where credentials for a repository were looked for and found.

    No registry is asked. Raise `InvalidReference` for a reference that is not valid.
    """
    place = parse_end(reference)
    if not isinstance(place, Reference):
        raise InvalidReference(f"{reference!r} is on disk, and needs no credentials")
    keychain = Keychain(
        {}, lambda message: reporter.tell(Warned(message)), authfile=options.authfile
    )
    return place, {side: keychain.explain(side, place.registry, place.repository) for side in Side}


def login(
    registry: str,
    credential: Credential,
    *,
    options: CopyOptions = _DEFAULTS,
    reporter: Reporter = _SILENT,
) -> str:
    """Check a user name and password at a registry, store them as Docker does, and return where.

    Raise `InvalidReference`, `InvalidOptions`, `InvalidConfig` or `AccessDenied` before anything
    is stored.
    """
    host = registry_of(registry)
    if (flaw := credential.flaw) is not None:
        raise InvalidOptions(f"the credentials for {host} cannot be used: {flaw}")
    store = Store(options.authfile)
    if not _sign_in(host, credential, options, reporter):
        reporter.tell(Warned(f"{host} asked for no credentials, so they could not be checked"))
    return store.save(host, credential)


def logout(registry: str, *, options: CopyOptions = _DEFAULTS) -> bool:
    """Remove what `login` stored for a registry; return whether there was anything.

    Raise `InvalidReference` or `InvalidConfig`.
    """
    return Store(options.authfile).erase(registry_of(registry))


def rate_limit(
    registry: str,
    *,
    options: CopyOptions = _DEFAULTS,
    credential: Credential | None = None,
    reporter: Reporter = _SILENT,
) -> tuple[str, RateLimit | None]:
    """Ask how many pulls a registry still allows, and return its name and the limit.

    `registry` may also be a reference: then that image is asked about. The question does not count
    as a pull. The limit is None if the registry does not mention one. Raise `InvalidReference`, and
    what `copy` raises for its source.
    """
    host = registry_of(registry) if "/" not in registry else ""
    named = _PREVIEW.get(host) if host else registry
    place = with_default_tag(parse_end(named)) if named else None
    if not isinstance(place, Reference | None):
        raise InvalidReference(f"{registry!r} is on disk, and has no limit")
    with running(options, reporter, source=credential) as run:
        if place is None:
            session = run.sessions.session(Side.SOURCE, host)
            return host, RateLimit.of(_ask(session, Request("GET", "")))
        session = run.sessions.session(Side.SOURCE, place.registry)
        path = f"{place.repository}/manifests/{place.digest or place.tag}"
        scopes = (f"repository:{place.repository}:pull",)
        headers = {"Accept": ACCEPT_MANIFESTS}
        try:
            return place.registry, RateLimit.of(
                _ask(session, Request("HEAD", path, scopes, headers))
            )
        except RegimportError as error:
            raise error.located(Side.SOURCE, place.name) from error


def _sign_in(
    registry: str, credential: Credential, options: CopyOptions, reporter: Reporter
) -> bool:
    """Send the one request that every registry answers, as this user.

    Return whether the registry asked for credentials. Raise `AccessDenied` if it refused them.
    The rule is the distribution specification's "Determining Support" (end-1).
    """
    wanted = threading.Event()

    def find(_repository: str) -> Credential:
        wanted.set()
        return credential

    lookup, stop = CredentialLookup(find), threading.Event()
    with closing(open_session(registry, Side.TARGET, options, lookup, reporter, stop)) as session:
        try:
            _ask(session, Request("GET", ""))
        except AccessDenied as error:
            raise _refused(registry, credential, error).located(None, registry) from error
        except RegimportError as error:
            raise error.located(None, registry) from error
    return wanted.is_set()


def _refused(registry: str, credential: Credential, error: AccessDenied) -> AccessDenied:
    """Say in plain words that a registry does not know the user, or the password."""
    if error.status != _UNAUTHORIZED:
        return error
    return AccessDenied(
        f"wrong user name or password for {registry} (user {credential.username})",
        method=error.method,
        url=error.url,
        status=error.status,
        codes=error.codes,
        hint="nothing was stored; some registries want a token in the place of the password",
    )


def _ask(session: Session, request: Request) -> Mapping[str, str]:
    answer = session.ask(request)
    if not answer.ok:
        raise error_of(answer)
    return answer.headers
