"""What a cloud provides for a user who is logged in there: a temporary credential."""

from __future__ import annotations

from typing import Protocol

from regimport.models.credential import Credential
from regimport.redact import safe_text
from regimport.values import dataclass

__all__ = ["CloudLogin", "NoLogin", "TemporaryCredential"]


@dataclass(frozen=True, slots=True)
class TemporaryCredential:
    """A credential that is valid for `seconds`."""

    credential: Credential
    seconds: float


class NoLogin(Exception):
    """Nobody is logged in at the cloud, or it refused; the message is a line without secrets."""

    def __init__(self, reason: object) -> None:
        # The messages of cloud libraries are pages long.
        lines = str(reason).strip().splitlines()
        super().__init__(safe_text(lines[0] if lines else type(reason).__name__, 200))


class CloudLogin(Protocol):
    """A module that knows how to log in at one cloud."""

    def get_credential(self, registry: str) -> TemporaryCredential:
        """Return a credential for one of the cloud's registries, or raise `NoLogin`."""
