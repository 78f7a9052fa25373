"""Logging in and out, and telling which credentials count and what they still allow."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import closing

from regimport.auth.lookup import CredentialLookup
from regimport.credentials.keychain import Explanation, Keychain
from regimport.credentials.store import Store
from regimport.errors import InvalidReference, RegimportError, Side
from regimport.events import Reporter, Silent, Warned
from regimport.models.credential import Credential
from regimport.models.mediatype import ACCEPT_MANIFESTS
from regimport.models.ratelimit import RateLimit
from regimport.models.reference import (
    LayoutReference,
    Reference,
    parse_end,
    registry_of,
    with_default_tag,
)
from regimport.options import CopyOptions
from regimport.registry.request import Request
from regimport.registry.session import Session
from regimport.registry.sessions import open_session
from regimport.run import running
from regimport.transport.answers import error_of

__all__ = ["explain", "login", "logout", "rate_limit"]

# Docker Hub's own image for this question (docs.docker.com, "Docker Hub pull usage and limits").
_PREVIEW = {"docker.io": "docker.io/ratelimitpreview/test:latest"}

_DEFAULTS = CopyOptions()
_SILENT = Silent()


def explain(
    reference: str, *, options: CopyOptions = _DEFAULTS, reporter: Reporter = _SILENT
) -> tuple[Reference, Mapping[Side, Explanation]]:
    """Tell, for each side, where credentials for a repository were looked for and found.

    Raises `InvalidReference`; no registry is asked.
    """
    place = parse_end(reference)
    if isinstance(place, LayoutReference):
        raise InvalidReference(f"{reference!r} is a folder; nobody has to log in there")
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
    """Check a user name and password at a registry, keep them as Docker does, and say where.

    Raises `InvalidReference`, `InvalidConfig` and `AccessDenied` before anything is kept.
    """
    host = registry_of(registry)
    store = Store(options.authfile)
    if not _sign_in(host, credential, options, reporter):
        reporter.tell(Warned(f"{host} asked for no credentials, so they could not be checked"))
    return store.save(host, credential)


def logout(registry: str, *, options: CopyOptions = _DEFAULTS) -> bool:
    """Forget what `login` kept for a registry; tell whether there was anything.

    Raises `InvalidReference` and `InvalidConfig`.
    """
    return Store(options.authfile).erase(registry_of(registry))


def rate_limit(
    registry: str,
    *,
    options: CopyOptions = _DEFAULTS,
    credential: Credential | None = None,
    reporter: Reporter = _SILENT,
) -> tuple[str, RateLimit | None]:
    """Ask how many pulls a registry still allows, which costs none; gives its name and the limit.

    `registry` may be a reference too: then that image is asked about. None if the registry tells
    of no limit. Raises `InvalidReference`, and what `copy` raises for its source.
    """
    host = registry_of(registry) if "/" not in registry else ""
    named = _PREVIEW.get(host) if host else registry
    place = with_default_tag(parse_end(named)) if named else None
    if isinstance(place, LayoutReference):
        raise InvalidReference(f"{registry!r} is a folder, which has no limit")
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
    """Ask a registry whether it lets a user in, with the one request that every registry has.

    Return whether it wanted to know who asks. Raise `AccessDenied`, and what any request may.
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
        except RegimportError as error:
            raise error.located(None, registry) from error
    return wanted.is_set()


def _ask(session: Session, request: Request) -> Mapping[str, str]:
    answer = session.ask(request)
    if not answer.ok:
        raise error_of(answer)
    return answer.headers
