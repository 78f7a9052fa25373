"""What a cloud gives to who is logged in there: a credential, for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from regimport.models.credential import Credential
from regimport.redact import safe_text

__all__ = ["CloudLogin", "Lease", "NoLogin"]


@dataclass(frozen=True, slots=True)
class Lease:
    """A credential that is good for `seconds`."""

    credential: Credential
    seconds: float


class NoLogin(Exception):
    """Nobody is logged in at the cloud, or it refused; says which in a line without secrets."""

    def __init__(self, reason: object) -> None:
        # What cloud libraries say goes on for pages.
        lines = str(reason).strip().splitlines()
        super().__init__(safe_text(lines[0] if lines else type(reason).__name__, 200))


class CloudLogin(Protocol):
    """A module that knows how to log in at one cloud."""

    def lease(self, registry: str) -> Lease:
        """Give a credential for one of the cloud's registries; raises `NoLogin`."""
