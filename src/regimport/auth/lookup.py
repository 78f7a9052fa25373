"""How the credentials for one registry are found, as its session sees it."""

from __future__ import annotations

from collections.abc import Callable

from regimport.models.credential import Credential
from regimport.values import dataclass

__all__ = ["CredentialLookup", "FindCredential"]

# Returns the credential for a repository, None for anonymous access.
FindCredential = Callable[[str], Credential | None]


def _no_other(_repository: str, rejected: Credential) -> Credential | None:
    return rejected


def _no_remark(_repository: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class CredentialLookup:
    """How one side finds the credentials for one registry.

    `find` returns the credential for a repository. `renew` returns what to use instead of one that
    was refused: another one, None for anonymous access, or the same if there is no other. `remark`
    returns why no credential was found, or a different one than the user may expect, if it knows.
    `peek` does what `find` does, and warns of nothing, as long as the registry has not asked.
    """

    find: FindCredential
    renew: Callable[[str, Credential], Credential | None] = _no_other
    remark: Callable[[str], str | None] = _no_remark
    peek: FindCredential | None = None
