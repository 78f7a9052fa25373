"""What is known of the credentials for one registry, to those who have to get in there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from regimport.models.credential import Credential

__all__ = ["CredentialLookup", "FindCredential"]

# Gives the credential for a repository, None to be anonymous there.
FindCredential = Callable[[str], Credential | None]


def _no_other(_repository: str, rejected: Credential) -> Credential | None:
    return rejected


def _no_remark(_repository: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class CredentialLookup:
    """What one side knows of the credentials for one registry.

    `find` gives that for a repository. `renew` gives what to use in the place of one that was
    refused: another one, None to be anonymous, or the same where there is nothing else. `remark`
    says what stood in the way of a credential, if anything did.
    """

    find: FindCredential
    renew: Callable[[str, Credential], Credential | None] = _no_other
    remark: Callable[[str], str | None] = _no_remark
