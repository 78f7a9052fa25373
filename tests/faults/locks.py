"""Who may ask: everybody, those with a password, those with a token; and the secrets they have."""

from __future__ import annotations

import base64
import itertools
import json
import threading

from faults.message import Asked, Reply

USERNAME = "planted-user"
PASSWORD = "planted:pass-word"
# What nobody may ever see printed, logged or raised; token and state get a number behind them.
SECRETS = (PASSWORD, "planted-token-", "planted-state-", "planted-signature-")


class Lock:
    """Lets requests in, or says how to get in."""

    def refusal(self, asked: Asked, address: str) -> Reply | None:
        """The answer to a request that may not come in, None if it may."""
        raise NotImplementedError

    def token(self, asked: Asked) -> Reply:
        """The answer of the token service."""
        raise NotImplementedError

    def mark(self, reply: Reply) -> Reply:
        """An answer with a secret in the place of an upload, as some registries have it."""
        location = reply.header("Location")
        if location is None or "/uploads/" not in location or "?" in location:
            return reply
        return reply.adding(Location=f"{location}?_state=planted-state-1")


class Open(Lock):
    """Lets everybody in."""

    def refusal(self, asked: Asked, address: str) -> Reply | None:
        return None

    def mark(self, reply: Reply) -> Reply:
        return reply


class Basic(Lock):
    """Wants the password with each request."""

    def refusal(self, asked: Asked, address: str) -> Reply | None:
        pair = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        if asked.headers.get("authorization") == f"Basic {pair}":
            return None
        return Reply(401, (("WWW-Authenticate", 'Basic realm="tests"'),))


class Bearer(Lock):
    """Wants a token, which it gives for the password, and may forget at any time."""

    def __init__(self, realm: str | None = None, life: int = 300) -> None:
        self._realm = realm
        self._life = life
        self._numbers = itertools.count(1)
        self._mutex = threading.Lock()
        self.valid: set[str] = set()

    def forget(self) -> None:
        """Let all tokens expire that were given out."""
        self.valid.clear()

    def challenge(self, address: str) -> Reply:
        realm = self._realm or f"http://{address}/token"
        value = f'Bearer realm="{realm}",service="tests"'
        return Reply(401, (("WWW-Authenticate", value),))

    def refusal(self, asked: Asked, address: str) -> Reply | None:
        word, _, token = asked.headers.get("authorization", "").partition(" ")
        known = word == "Bearer" and token in self.valid
        return None if known else self.challenge(address)

    def token(self, asked: Asked) -> Reply:
        with self._mutex:
            token = f"planted-token-{next(self._numbers)}"
            self.valid.add(token)
        return Reply(200, body=json.dumps({"token": token, "expires_in": self._life}).encode())
