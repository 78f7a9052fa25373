"""Credentials, which never show what they hold."""

from __future__ import annotations

import base64
from dataclasses import dataclass

__all__ = ["Credential"]


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """What a user has to prove who they are: a name and a password, or a token.

    `identity_token` is an OAuth2 refresh token, as Docker keeps it in `identitytoken`;
    `registry_token` is a bearer token, to be sent as it is.
    """

    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""

    def __repr__(self) -> str:
        """Tell which kind it is, and nothing of the secret."""
        kind = "token" if self.identity_token or self.registry_token else "password"
        return f"<Credential {self.username!r}: {kind} hidden>"

    def basic(self) -> str:
        """Give the value of a Basic Authorization header (RFC 7617)."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")
