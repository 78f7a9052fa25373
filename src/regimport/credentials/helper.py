"""Credential helpers: programs that store secrets, run as Docker runs them.

The protocol is that of docker-credential-helpers: the action is the only argument, the server's
address or a JSON object is its standard input, and the answer its standard output.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping

from regimport.credentials.hosts import server_address
from regimport.environment import is_own
from regimport.models.credential import TOKEN_USERNAME, Credential
from regimport.redact import reason_of, safe_text
from regimport.secrets_sent import SENT
from regimport.values import dataclass, field

__all__ = ["BrokenHelper", "Helper", "is_helper_name"]

_SECONDS = 30.0
_NAME = re.compile(r"[A-Za-z0-9._-]+")
# The answers of helpers that know nothing of a server (docker-credential-helpers, error.go).
_NOT_FOUND = ("credentials not found", "no credentials server url", "no credentials username")


def is_helper_name(name: str) -> bool:
    """Return whether a helper may have this name, which must not be a path."""
    return _NAME.fullmatch(name) is not None


class BrokenHelper(Exception):
    """A helper could not be run, or its answer is not valid; the message shows no secret."""


@dataclass(frozen=True, slots=True)
class Helper:
    """The helper `docker-credential-NAME`, searched for in the PATH of `environ`.

    It is killed if it takes longer than `seconds`, or once `stop` is set.
    """

    name: str
    environ: Mapping[str, str] = field(repr=False)
    seconds: float = _SECONDS
    stop: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def program(self) -> str:
        """The name of the program."""
        return f"docker-credential-{self.name}"

    def get(self, registry: str) -> Credential | None:
        """Return the helper's credential for a registry, None if it has none.

        Raise `BrokenHelper`.
        """
        answer = self._run("get", server_address(registry))
        if answer is None:
            return None
        username, secret = _strings(answer, "Username", "Secret", program=self.program)
        if not secret:
            return None
        token = username == TOKEN_USERNAME
        found = Credential(identity_token=secret) if token else Credential(username, secret)
        if (flaw := found.flaw) is not None:
            raise BrokenHelper(f"{self.program} returned a credential that cannot be used: {flaw}")
        return found

    def store(self, registry: str, credential: Credential) -> None:
        """Store a credential in the helper, or raise `BrokenHelper`."""
        token = credential.identity_token
        document = {
            "ServerURL": server_address(registry),
            "Username": TOKEN_USERNAME if token else credential.username,
            "Secret": token or credential.password,
        }
        SENT.add(document["Secret"])
        self._run("store", json.dumps(document))

    def erase(self, address: str) -> None:
        """Remove a server's address from the helper, or raise `BrokenHelper`."""
        self._run("erase", address)

    def servers(self) -> Mapping[str, str]:
        """Return the user name for each address in the helper, or raise `BrokenHelper`."""
        document = _first_value(self._run("list", "") or "{}")
        if not isinstance(document, dict):
            raise BrokenHelper(f"{self.program} did not answer with a JSON object")
        return {
            key: name for key, name in document.items() if isinstance(name, str) and key.isascii()
        }

    def _run(self, action: str, text: str) -> str | None:
        """Return the answer to an action, None if the helper knows nothing of the server."""
        if not is_helper_name(self.name):
            raise BrokenHelper(f"{self.name!r} cannot be the name of a credential helper")
        # Most copies run no helper, and start faster without this import.
        from regimport.credentials.process import run  # noqa: PLC0415

        try:
            code, answer = run(
                [self.program, action],
                text.encode(),
                _without_secrets(self.environ),
                self.seconds,
                self.stop,
            )
        except FileNotFoundError:
            raise BrokenHelper(f"{self.program} is not in the PATH") from None
        except TimeoutError:
            raise BrokenHelper(
                f"{self.program} did not answer within {self.seconds:.0f} seconds"
            ) from None
        except OverflowError:
            raise BrokenHelper(f"{self.program} returned too large an answer") from None
        except OSError as error:
            raise BrokenHelper(f"{self.program} could not be run: {reason_of(error)}") from None
        answered = answer.decode("utf-8", "replace")
        if code == 0:
            return answered
        if answered.strip().lower().startswith(_NOT_FOUND):
            return None
        # Anything like JSON may contain the secret; an error message is a line of words.
        words = "" if "{" in answered else safe_text(answered.strip().partition("\n")[0], 200)
        raise BrokenHelper(f"{self.program} failed with code {code}" + (words and f": {words}"))


def _without_secrets(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment of a helper, which is another program: without what is ours."""
    return {name: value for name, value in environ.items() if not is_own(name)}


def _strings(answer: str, *names: str, program: str) -> list[str]:
    document = _first_value(answer)
    if not isinstance(document, dict):
        raise BrokenHelper(f"{program} did not answer with a JSON object")
    # Go, in which most helpers and their users are written, ignores the case of keys.
    document = {key.lower(): value for key, value in document.items()} | document
    values = [document.get(name, document.get(name.lower(), "")) for name in names]
    if not all(isinstance(value, str) for value in values):
        raise BrokenHelper(f"{program} did not answer with a user name and a secret")
    return [str(value) for value in values]


def _first_value(answer: str) -> object:
    """Return the first JSON value of an answer, None if there is none.

    Some helpers print a line for people before or after it.
    """
    lines = answer.removeprefix("\ufeff").lstrip().splitlines(keepends=True)
    start = next((number for number, line in enumerate(lines) if line.lstrip()[:1] == "{"), 0)
    try:
        value, _ = json.JSONDecoder().raw_decode("".join(lines[start:]).lstrip())
    except (ValueError, RecursionError):
        return None
    found: object = value
    return found
