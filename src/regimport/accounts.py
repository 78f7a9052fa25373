"""Logging in and out, and telling which credentials count."""

from __future__ import annotations

from collections.abc import Mapping

from regimport.credentials.keychain import Explanation, Keychain
from regimport.credentials.store import Store
from regimport.errors import InvalidReference, Side
from regimport.events import Reporter, Silent, Warned
from regimport.models.credential import Credential
from regimport.models.reference import LayoutReference, Reference, parse_end, registry_of
from regimport.options import CopyOptions
from regimport.sessions import sign_in

__all__ = ["explain", "login", "logout"]

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
    if not sign_in(host, credential, options, reporter):
        reporter.tell(Warned(f"{host} asked for no credentials, so they could not be checked"))
    return store.save(host, credential)


def logout(registry: str, *, options: CopyOptions = _DEFAULTS) -> bool:
    """Forget what `login` kept for a registry; tell whether there was anything.

    Raises `InvalidReference` and `InvalidConfig`.
    """
    return Store(options.authfile).erase(registry_of(registry))
