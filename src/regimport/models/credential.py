"""Credentials, which never show what they hold."""

from __future__ import annotations

import base64
from dataclasses import dataclass

__all__ = ["ANYBODY", "TOKEN_USERNAME", "Credential"]

# The user name that says "the password is an identity token" (docker-credential-helpers).
TOKEN_USERNAME = "<token>"  # noqa: S105 - a name, not a token
# The user name that Azure's registries take for "whoever the token says" (Azure/acr, AAD-OAuth.md).
ANYBODY = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """What a user has to prove who they are: a name and a password, or a token.

    `identity_token` is an OAuth2 refresh token, as Docker keeps it in `identitytoken`;
    `registry_token` is a bearer token, to be sent as it is; `entra_token` is an access token of
    Microsoft Entra, which an Azure registry exchanges for an identity token of its own.
    """

    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""
    entra_token: str = ""

    def __repr__(self) -> str:
        """Tell which kind it is, and nothing of the secret."""
        return f"<Credential {self.described}, hidden>"

    @property
    def described(self) -> str:
        """What it is, in words, without the secret: "user 'ci' with a password"."""
        if self.entra_token:
            return "an access token of Microsoft Entra"
        if self.identity_token:
            return "an identity token"
        if self.registry_token:
            return "a bearer token"
        return f"user {self.username!r} with a password" if self.username else "a password alone"

    def basic(self) -> str:
        """Give the value of a Basic Authorization header (RFC 7617)."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")
