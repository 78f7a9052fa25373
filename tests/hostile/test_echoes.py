"""A registry that repeats what it was sent: no secret of a request is shown, raised or logged."""

from __future__ import annotations

import html
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

import regimport
from regimport import CopyOptions, Credential, RegimportError, RetryPolicy
from support.images import single
from support.inprocess import Here
from support.miniature import BasicDoor, Miniature, TokenDoor, basic
from support.peers import Line, peer
from support.scripted import Heard, Say, Scripted

_USER, _PASSWORD = "ci", 'correct "horse" & battery'
_STATE = "state-of-an-upload-0123456789"
_SIGNATURE = "signature-of-a-url-0123456789"
_ONCE = CopyOptions(retry=RetryPolicy(attempts=1, first_delay=0))

_Words = Callable[[str], tuple[str, bytes]]


def _as_text(words: str) -> tuple[str, bytes]:
    return "text/plain", words.encode()


def _as_json(words: str) -> tuple[str, bytes]:
    error = {"code": "DENIED", "message": words}
    return "application/json", json.dumps({"errors": [error]}).encode()


def _as_page(words: str) -> tuple[str, bytes]:
    return "text/html", f"<html><title>{html.escape(words)}</title></html>".encode()


def _as_url(words: str) -> tuple[str, bytes]:
    return "text/plain", quote(words).encode()


class Echoing(Miniature):
    """A registry that refuses one kind of request, and repeats it in its answer."""

    def __init__(self, where: str, words: _Words, status: int = 403) -> None:
        super().__init__()
        self._where, self._words, self._status = where, words, status
        self.refused = 0

    def __call__(self, heard: Heard) -> Say:
        if not f"{heard.method} {heard.path}".startswith(self._where):
            return super().__call__(heard)
        if heard.authorization is None:
            return super().__call__(heard)
        self.refused += 1
        # The secrets first, since messages are cut off.
        secrets = f"{heard.authorization} {_PASSWORD} {urlsplit(heard.path).query}"
        kind, body = self._words(f"{secrets} {heard.body[:500]!r}")
        warning = f'299 - "{heard.authorization}"'
        headers = {"Content-Type": kind, "Server": heard.authorization, "Warning": warning}
        return Say(self._status, headers, body)

    def session(self, repository: str) -> str:
        return f"/v2/{repository}/blobs/uploads/1?_state={_STATE}"


class _Records(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def log() -> Iterator[list[str]]:
    """What the library logs at its highest level."""
    records, logger = _Records(), logging.getLogger("regimport")
    logger.addHandler(records)
    logger.setLevel(logging.DEBUG)
    yield records.lines
    logger.removeHandler(records)
    logger.setLevel(logging.NOTSET)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and each that led to it."""
    seen: list[BaseException | None] = [error]
    while (found := seen.pop()) is not None:
        yield found
        seen = [*seen, found.__context__, found.__cause__]
        seen = [each for each in seen if each is not None] or [None]


def _all_of(error: RegimportError) -> str:
    """All that a program may show of an error."""
    parts = ["".join(traceback.format_exception(error)), error.hint or ""]
    for each in _chain(error):
        parts += [str(each), repr(each), repr(each.args), repr(vars(each))]
    return "\n".join(parts)


def _check(said: str, *secrets: str) -> None:
    pair = basic(_USER, _PASSWORD).removeprefix("Basic ")
    for secret in (_PASSWORD, pair, pair.rstrip("="), _STATE, _SIGNATURE, *secrets):
        for form in (secret, html.escape(secret), json.dumps(secret)[1:-1], quote(secret)):
            assert form not in said


_REQUESTS = {
    "manifest": "GET /v2/app/manifests/",
    "blob": "GET /v2/app/blobs/",
    "start of an upload": "POST /v2/app/blobs/uploads/",
    "end of an upload": "PUT /v2/app/blobs/uploads/",
    "put of a manifest": "PUT /v2/app/manifests/",
}


@pytest.mark.parametrize("words", [_as_text, _as_json, _as_page, _as_url])
@pytest.mark.parametrize("kind", _REQUESTS)
@pytest.mark.parametrize("door", ["basic", "token"])
def test_no_secret_of_a_request_comes_back_in_an_exception(
    kind: str, words: _Words, door: str, log: list[str]
) -> None:
    status = 500 if words is _as_json else 403
    echoing = Echoing(_REQUESTS[kind], words, status)
    users = {_USER: _PASSWORD}
    doorkeeper = TokenDoor(users) if door == "token" else BasicDoor(users)
    echoing.door = doorkeeper
    echoing.hold("app", single())
    there = Miniature()
    there.hold("app", single("another"))
    credential = Credential(_USER, _PASSWORD)
    with Scripted(echoing) as one, Scripted(there) as other:
        reads = kind in {"manifest", "blob"}
        ends = (one, other) if reads else (other, one)
        source, target = (f"{end.address}/app" for end in ends)
        with pytest.raises(RegimportError) as caught:
            regimport.copy(
                source,
                f"{target}:new",
                options=_ONCE,
                source_credential=credential if reads else None,
                target_credential=None if reads else credential,
            )
    assert echoing.refused
    tokens = doorkeeper.tokens if isinstance(doorkeeper, TokenDoor) else ()
    _check(_all_of(caught.value) + "\n".join(log), *tokens)
    assert "…" in caught.value.message, "the rest of the answer is shown"


_READING = ("tags", "digest", "inspect", "ratelimit")


@pytest.mark.parametrize(
    ("command", "options"),
    [
        *((command, ("-vv",)) for command in (*_READING, "copy", "login")),
        *((command, ("-o", "json")) for command in (*_READING, "copy")),
        ("copy", ("--progress", "json", "-vv")),
        ("copy", ("--progress", "json", "-o", "json")),
    ],
)
def test_no_command_prints_a_secret_that_was_sent(
    command: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    echoing = Echoing("", _as_text)
    users = {_USER: _PASSWORD}
    echoing.door = BasicDoor(users)
    with Scripted(echoing) as server:
        name = server.address if command == "login" else f"{server.address}/app"
        ends = (name, "oci:copied") if command == "copy" else (name,)
        given = ("--source-username", "--source-password-stdin")
        if command != "copy":
            given = ("--username", "--password-stdin")
        ended = Here(tmp_path)(command, *options, given[0], _USER, given[1], *ends, stdin=_PASSWORD)
    assert ended.code == 4, ended
    _check(ended.out + ended.err)
    assert "…" in ended.out + ended.err


def test_a_token_service_that_repeats_a_password_shows_none(log: list[str]) -> None:
    door = TokenDoor({_USER: "another"})

    def repeat(heard: Heard) -> Say:
        if heard.authorization is None:
            return registry(heard)
        return Say(401, body=f"{heard.authorization} {_PASSWORD} {heard.body!r}".encode())

    registry = Miniature(door)
    with Scripted(repeat) as server, pytest.raises(RegimportError) as caught:
        regimport.digest(
            f"{server.address}/app", options=_ONCE, credential=Credential(_USER, _PASSWORD)
        )
    _check(_all_of(caught.value) + "\n".join(log))
    assert "…" in caught.value.message


def test_a_token_service_that_repeats_an_identity_token_shows_none(log: list[str]) -> None:
    token = "identity-token/with+signs=0123456789"
    door = TokenDoor({})

    def repeat(heard: Heard) -> Say:
        if heard.method != "POST":
            return Miniature(door)(heard)
        return Say(401, body=heard.body)

    with Scripted(repeat) as server, pytest.raises(RegimportError) as caught:
        regimport.digest(
            f"{server.address}/app",
            options=_ONCE,
            credential=Credential(identity_token=token),
        )
    _check(_all_of(caught.value) + "\n".join(log), token)
    assert "grant_type" in caught.value.message


def test_storage_that_repeats_the_signature_of_a_url_shows_none(log: list[str]) -> None:
    def storage(heard: Heard) -> Say:
        return Say(403, body=f"bad signature in {heard.path}: {_SIGNATURE}".encode())

    def sign(heard: Heard) -> Say:
        if "/blobs/" not in heard.path:
            return registry(heard)
        query = f"X-Amz-Signature={_SIGNATURE}&X-Amz-Expires=600"
        return Say(307, {"Location": f"http://{elsewhere.address}/blob?{query}"})

    registry = Miniature()
    registry.hold("app", single())
    with Scripted(storage) as elsewhere, Scripted(sign) as server:
        with pytest.raises(RegimportError) as caught:
            regimport.copy(f"{server.address}/app", "oci:nowhere", options=_ONCE)
    _check(_all_of(caught.value) + "\n".join(log))
    assert "bad signature in" in caught.value.message


def test_a_head_that_is_not_http_shows_no_secret_that_is_in_it(log: list[str]) -> None:
    def treat(line: Line) -> None:
        said = "\n".join(line.head())
        if "Authorization" not in said:
            line.send('HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\n')
            line.send("Content-Length: 0\r\nConnection: close\r\n\r\n")
            return
        sent = next(each for each in said.splitlines() if each.startswith("Authorization"))
        line.send(f"HTTP/1.1 200 OK\r\n{sent.replace(':', '')}\r\n\r\n")

    with peer(treat) as server, pytest.raises(RegimportError) as caught:
        regimport.digest(
            f"{server.address}/app",
            options=CopyOptions(
                retry=RetryPolicy(attempts=1), plain_http=frozenset({server.address})
            ),
            credential=Credential(_USER, _PASSWORD),
        )
    assert "not HTTP" in caught.value.message
    _check(_all_of(caught.value) + "\n".join(log))
