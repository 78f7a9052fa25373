"""Credentials, which never show what they hold."""

from __future__ import annotations

import base64

from regimport.values import dataclass

__all__ = ["ANYBODY", "TOKEN_USERNAME", "Credential", "is_token"]

# The user name that means "the password is an identity token" (docker-credential-helpers).
TOKEN_USERNAME = "<token>"  # noqa: S105 - a name, not a token
# The user name that goes with an access token at Azure's registries (Azure/acr, AAD-OAuth.md).
ANYBODY = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
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
        """Return which kind it is, without the secret."""
        return f"<Credential {self.described}, hidden>"

    @property
    def described(self) -> str:
        """Its kind, in words, without the secret: "user 'ci' with a password"."""
        if self.entra_token:
            return "an access token of Microsoft Entra"
        if self.identity_token:
            return "an identity token"
        if self.registry_token:
            return "a bearer token"
        return f"user {self.username!r} with a password" if self.username else "a password alone"

    @property
    def flaw(self) -> str | None:
        """Why it cannot be sent, in words and without the secret; None if it can.

        Tokens are printable ASCII (RFC 6749, appendix A). A user name has no control characters
        and no colon (RFC 7617, section 2). A password may have several lines, as Google's JSON keys
        do, because Basic encodes it.
        """
        tokens = {
            "access token of Microsoft Entra": self.entra_token,
            "identity token": self.identity_token,
            "bearer token (registrytoken)": self.registry_token,
        }
        for name, token in tokens.items():
            if not is_token(token):
                return f"the {name} {_flaw_of(token) or 'contains a character that is not ASCII'}"
        if flaw := _flaw_of(self.username):
            return f"the user name {flaw}"
        if ":" in self.username:
            return "the user name contains a colon"
        return None if _is_text(self.password) else "the password contains bytes that are not UTF-8"

    def basic(self) -> str:
        """Return the value of a Basic Authorization header (RFC 7617)."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")


def is_token(text: str) -> bool:
    """Return whether a text can be sent as a token: printable ASCII (RFC 6749, appendix A)."""
    return text.isascii() and text.isprintable()


def _flaw_of(text: str) -> str | None:
    if "\n" in text or "\r" in text:
        return "contains a line break"
    if any(character < " " or character == "\x7f" for character in text):
        return "contains a control character"
    return None if _is_text(text) else "contains bytes that are not UTF-8"


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
