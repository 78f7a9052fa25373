"""The scopes of tokens: what a request needs, and what a registry says that it needs."""

from __future__ import annotations

from regimport.auth.challenge import Challenge

__all__ = ["Scopes", "further_scopes", "is_foreign", "repository_of", "scopes_of"]

# The resource scopes a request needs, e.g. ("repository:library/alpine:pull",).
Scopes = tuple[str, ...]


def repository_of(scopes: Scopes) -> str:
    """Return the first repository that a set of scopes names."""
    return scopes[0].split(":")[1] if scopes and scopes[0].count(":") >= 2 else ""


def scopes_of(challenge: Challenge) -> Scopes:
    """Return the scopes that a challenge names."""
    return tuple(challenge.params.get("scope", "").split())


def further_scopes(challenged: Scopes, scopes: Scopes) -> Scopes:
    """Return the further scopes of a challenge, except those for the repository of a request."""
    return tuple(
        scope
        for scope in dict.fromkeys(challenged)
        if not scope.startswith("repository:") and scope not in scopes
    )


def is_foreign(named: Scopes, scopes: Scopes) -> bool:
    """Return whether some scopes name a repository that others do not."""
    own = {scope.rpartition(":")[0] for scope in scopes}
    return bool(own) and any(
        scope.startswith("repository:") and scope.rpartition(":")[0] not in own for scope in named
    )
