"""Tokens that expire, are refused, or are no tokens; and who is asked for how many."""

from __future__ import annotations

import json

import pytest

from faults.actions import Changed, Endless, Expire, Raw, Status, error_body
from faults.locks import Bearer
from faults.message import Asked, Reply
from faults.proxy import ALWAYS, Fault
from faults.table import HASTY, IMAGE, LAYER, OLD, SIZE, Row, Stage, run_copy, run_row, table
from regimport.errors import (
    AccessDenied,
    ContentMismatch,
    RegimportError,
    RegistryError,
    Unreachable,
)

BOTH = (Bearer, Bearer)


class Refusing(Bearer):
    """Gives tokens out, and takes none."""

    def refusal(self, asked: Asked, address: str) -> Reply | None:
        return self.challenge(address)


class Forbidding(Bearer):
    """Takes the tokens, but says that this account may not."""

    def refusal(self, asked: Asked, address: str) -> Reply | None:
        if super().refusal(asked, address) is None:
            return Reply(403, body=error_body("DENIED"))
        return self.challenge(address)


EXPIRED = [
    *(
        Row(
            title=f"the token expires before {kind} at the source",
            source=[Fault(kind, Expire())],
            locks=BOTH,
            most={"source GET token": 2, f"source {kind}": 3},
            retries=False,
        )
        for kind in ("GET manifest", "GET blob")
    ),
    *(
        Row(
            title=f"the token expires before {kind} at the target",
            target=[Fault(kind, Expire())],
            most={"target GET token": 2, f"target {kind}": 3},
            retries=False,
        )
        for kind in ("HEAD blob", "POST upload", "PUT manifest")
    ),
    Row(
        title="the token expires before the body of an upload",
        target=[Fault("PUT upload", Expire())],
        # The body is read again, into another session.
        most={"target GET token": 2, "target PUT upload": 3, "target POST upload": 3},
        retries=True,
    ),
    Row(
        title="tokens expire again and again",
        target=[
            Fault(kind, Expire())
            for kind in ("HEAD blob", "POST upload", "PUT upload", "PUT manifest")
        ],
        most={"target GET token": 5, "target PUT upload": 4},
    ),
]
REFUSED = [
    Row(
        title="the source takes no token that it gives out",
        locks=(Refusing, Bearer),
        error=AccessDenied,
        most={"source GET token": 2},
        retries=False,
    ),
    Row(
        title="the target takes no token that it gives out",
        locks=(Bearer, Refusing),
        error=AccessDenied,
        most={"target GET token": 4, "target PUT upload": 0},
        retries=False,
    ),
    Row(
        title="the source forbids all",
        locks=(Forbidding, Bearer),
        error=AccessDenied,
        says="403",
        most={"source GET token": 2},
        retries=False,
    ),
    Row(
        title="the target forbids all",
        locks=(Bearer, Forbidding),
        error=AccessDenied,
        says="403",
        most={"target GET token": 4},
        retries=False,
    ),
    *(
        Row(
            title=f"the token service answers {status}",
            target=[Fault("GET token", Status(status, body=error_body("DENIED")), ALWAYS)],
            error=AccessDenied,
            says="refused",
            most={"target GET token": 1},
            retries=False,
        )
        for status in (400, 401, 403)
    ),
    Row(
        title="the token service keeps failing",
        target=[Fault("GET token", Status(503), ALWAYS)],
        error=Unreachable,
        says="503",
        most={"target GET token": 5},
    ),
    *(
        Row(
            title=f"the token service gives {name}",
            target=[Fault("GET token", Status(200, body=body), ALWAYS)],
            error=RegistryError,
            says="no valid token",
            most={"target GET token": 1, "target PUT upload": 0},
        )
        for name, body in (
            ("a page of HTML", b"<html><title>Sign in</title></html>"),
            ("nothing", b""),
            ("an empty token", b'{"token":""}'),
            ("a token that is no text", b'{"token":{"a":1}}'),
            ("a token with a line break", json.dumps({"token": "a\r\nX: y"}).encode()),
            ("a token with an escape", json.dumps({"token": "\x1b]0;x\x07"}).encode()),
            ("a list", b"[]"),
            ("100 000 levels of lists", b"[" * 100_000 + b"]" * 100_000),
            ("a byte that is no UTF-8", b'{"token":"\xff"}'),
        )
    ),
    *(
        Row(
            title=f"the token service gives {name}",
            target=[Fault("GET token", do, ALWAYS)],
            error=RegimportError,
            most={"target GET token": 1, "target PUT upload": 0},
            retries=False,
        )
        for name, do in (
            ("a token of 10 MB", Status(200, body=b'{"token":"%b"}' % (b"x" * 10_000_000))),
            ("an answer without an end", Endless()),
        )
    ),
]


@table(EXPIRED)
def test_a_token_that_expires_is_fetched_anew(stage: Stage, row: Row, repository: str) -> None:
    result = run_row(stage, row, repository)
    bodies = [asked for asked in result.target.asked("PUT upload") if asked.status == 201]
    assert len(bodies) == 2


@table(REFUSED)
def test_a_refusal_ends_it_soon(stage: Stage, row: Row, repository: str) -> None:
    run_row(stage, row, repository)


@pytest.mark.parametrize("life", [0, -5, 1, 10**9, 10**400, "soon", None, True, 1.5])
def test_a_token_lives_as_long_as_makes_sense(stage: Stage, repository: str, life: object) -> None:
    class Timed(Bearer):
        def token(self, asked: Asked) -> Reply:
            document = json.loads(super().token(asked).body)
            issued = {"issued_at": "2099-01-01T00:00:00Z", "expires_in": life}
            return Reply(200, body=json.dumps(document | issued).encode())

    row = Row(title="", locks=(Bearer, Timed), most={"target GET token": 3})
    run_row(stage, row, repository)


def test_one_fresh_token_serves_all_workers(stage: Stage, repository: str) -> None:
    stage.set_up(repository, IMAGE, OLD)
    with stage.between(locks=(Bearer(), Bearer())) as (source, target):
        result = run_copy(source, target, repository, HASTY)
    assert result.error is None
    assert source.count("GET token") == target.count("GET token") == 1
    scopes = [asked.path for asked in (*source.asked("GET token"), *target.asked("GET token"))]
    assert "pull%2Cpush" not in scopes[0]
    assert "pull%2Cpush" in scopes[1]


PORTAL = b"<!doctype html><html><head><title>Sign in to WiFi</title></head><body>x</body></html>"
NOT_HTTP = b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n"
ESCAPES = b"\x1b]0;planted title\x07\x1b[2J\r\n"
LONG_HEADER = b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 2_000_000 + b"\r\n\r\n"
MANY_HEADERS = b"HTTP/1.1 200 OK\r\n" + b"X-Many: 1\r\n" * 20_000 + b"\r\n"
TWO_LENGTHS = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"
BOTH_FRAMINGS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
)


def everything(side: str, do: Raw | Status) -> dict[str, list[Fault]]:
    return {side: [Fault("* *", do, ALWAYS)]}


@table(
    [
        *(
            Row(
                title=f"{name} from the {side}",
                **everything(side, Raw(data)),  # type: ignore[arg-type]
                error=Unreachable,
                most={f"{side} HEAD manifest": 6},
            )
            for side in ("source", "target")
            for name, data in (
                ("what is not HTTP", NOT_HTTP),
                ("terminal escapes", ESCAPES),
                ("a header of 2 MB", LONG_HEADER),
                ("twenty thousand headers", MANY_HEADERS),
                ("zeros", b"\0" * 5000),
                ("a status that is no number", b"HTTP/1.1 OK\r\n\r\n"),
            )
        ),
        Row(
            title="an answer with two lengths",
            source=[Fault("GET *", Raw(TWO_LENGTHS), ALWAYS)],
            error=Unreachable,
        ),
        Row(
            # The chunks count (RFC 9112, section 6.3), and they hold something else.
            title="an answer with a length and in chunks",
            source=[Fault("GET *", Raw(BOTH_FRAMINGS), ALWAYS)],
            error=ContentMismatch,
        ),
        *(
            Row(
                title=f"a page to sign in, in the place of the {side}",
                **everything(side, Status(200, {"Content-Type": "text/html"}, PORTAL)),  # type: ignore[arg-type]
                error=RegimportError,
                most={"target PUT manifest": 0, "target PUT upload": 0},
                retries=False,
            )
            for side in ("source", "target")
        ),
        Row(
            title="a page to sign in, in the place of a blob",
            source=[Fault("GET blob", Status(200, {"Content-Type": "text/html"}, PORTAL), ALWAYS)],
            error=RegimportError,
            most={"source GET blob": 3, "target PUT manifest": 0},
        ),
        Row(
            title="an error of bad JSON",
            source=[Fault("GET blob", Status(418, body=b'{"errors":[{"code":'), ALWAYS, LAYER)],
            error=RegistryError,
            says="418",
            most={"source GET blob": 1},
        ),
        Row(
            title="an error without an end",
            source=[Fault("GET blob", Endless(status=418), ALWAYS, LAYER)],
            error=RegistryError,
            says="418",
            most={"source GET blob": 1, "source bytes": 10_000_000},
        ),
        Row(
            title="a layer of the right size with other bytes",
            source=[Fault("GET blob", Changed(body=lambda _: b"x" * SIZE), ALWAYS, LAYER)],
            error=RegimportError,
            most={"source GET blob": 3},
        ),
    ]
)
def test_what_is_no_registry_ends_in_a_clear_error(stage: Stage, row: Row, repository: str) -> None:
    result = run_row(stage, row, repository)
    assert result.error is not None
    assert result.error.message
    assert len(result.error.message) < 1000
    assert all(text.isprintable() for text in result.error.message.split("\n"))
