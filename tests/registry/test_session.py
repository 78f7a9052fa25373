"""A session: what it repeats and what not, how long it waits, and what it asks tokens for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

import pytest

from regimport.errors import (
    AccessDenied,
    BrokenTransfer,
    Interrupted,
    RateLimited,
    RegimportError,
    Unreachable,
)
from regimport.events import Retrying
from regimport.models.credential import Credential
from regimport.options import RetryPolicy
from regimport.registry.request import Request
from regimport.registry.retry import RETRYABLE
from regimport.transport.answers import error_of
from registry.conftest import IMPATIENT, Sessions
from support.peers import Asked, Line, Reply, peer, web

_USER = Credential("user", "secret")
_PULL = ("repository:app:pull",)
_GET = Request("GET", "app/thing", _PULL)


def _statuses(*statuses: int, **headers: str) -> Callable[[Asked], Reply]:
    """Answer each request with the next status, and with the last one from then on."""
    left = list(statuses)
    return lambda _: Reply(left.pop(0) if len(left) > 1 else left[0], headers)


@pytest.mark.parametrize("status", sorted(RETRYABLE))
def test_a_status_that_may_pass_is_asked_again(status: int, sessions: Sessions) -> None:
    with web(_statuses(status, status, 200)) as server:
        assert sessions.open(server.address).ask(_GET).ok
        assert len(server.asked) == 3
    retries = [event for event in sessions.told if isinstance(event, Retrying)]
    assert [event.attempt for event in retries] == [1, 2]


@pytest.mark.parametrize("status", sorted(RETRYABLE))
def test_a_status_that_does_not_pass_is_asked_as_often_as_allowed(
    status: int, sessions: Sessions
) -> None:
    kind = {429: RateLimited}.get(status, Unreachable if status >= 500 else RegimportError)
    with web(_statuses(status)) as server:
        with pytest.raises(kind):
            sessions.open(server.address).ask(_GET)
        assert len(server.asked) == IMPATIENT.attempts


@pytest.mark.parametrize("status", [400, 404, 405, 409, 413, 415, 416, 422, 501])
def test_a_refusal_is_asked_once(status: int, sessions: Sessions) -> None:
    with web(_statuses(status)) as server:
        session = sessions.open(server.address)
        session._client._guess = None  # a 400 would be asked again to look for TLS
        assert session.ask(_GET).status == status
        assert len(server.asked) == 1


def test_a_connection_that_breaks_is_tried_again(sessions: Sessions) -> None:
    def treat(line: Line) -> None:
        line.head()
        if line.number >= 2:
            line.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        elif line.number == 1:
            line.send("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf")

    with peer(treat) as server:
        assert sessions.open(server.address).ask(_GET).body == b"ok"
        assert server.connections == 3


def test_a_registry_that_is_not_there_is_unreachable_after_all_attempts(
    sessions: Sessions,
) -> None:
    with web(_statuses(200)) as server:
        address = server.address
    with pytest.raises(Unreachable) as raised:
        sessions.open(address).ask(_GET)
    assert raised.value.attempts == IMPATIENT.attempts
    assert len(sessions.told) == IMPATIENT.attempts - 1


def test_a_streamed_body_is_sent_once(sessions: Sessions) -> None:
    with web(_statuses(503)) as server:
        request = Request(
            "PUT", "app/thing", (), {"Content-Length": "2"}, content=iter([b"a", b"b"])
        )
        assert sessions.open(server.address).send(request).status == 503
        assert [asked.body for asked in server.asked] == [b"ab"]


@pytest.mark.parametrize("asked", [lambda: "7", lambda: formatdate(7 + _now(), usegmt=True)])
def test_the_delay_is_what_retry_after_asks_for(
    asked: Callable[[], str], sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    with web(lambda _: Reply(200 if slept else 503, {"Retry-After": asked()})) as server:
        session = sessions.open(server.address)
        monkeypatch.setattr(session._gate, "sleep", slept.append)
        monkeypatch.setattr(session._gate, "wait", lambda: None)
        assert session.ask(_GET).ok
    assert len(slept) == 1
    assert 5 < slept[0] <= 7


def _now() -> float:
    import time  # noqa: PLC0415 - the clock is this line's alone

    return time.time()


@pytest.mark.parametrize("status", [429, 503])
def test_more_patience_than_allowed_is_an_error_at_once(status: int, sessions: Sessions) -> None:
    policy = RetryPolicy(first_delay=0, longest_delay=0, max_wait=5)
    with web(_statuses(status, **{"Retry-After": "6"})) as server:
        with pytest.raises(RegimportError) as raised:
            sessions.open(server.address, policy=policy).ask(_GET)
        assert len(server.asked) == 1
    assert sessions.told == []
    if isinstance(raised.value, RateLimited):
        assert raised.value.retry_after == 6
    assert isinstance(raised.value, RateLimited if status == 429 else Unreachable)


def test_a_pause_that_one_request_was_asked_for_holds_the_others_too(sessions: Sessions) -> None:
    with web(_statuses(429, 200, **{"Retry-After": "100"})) as server:
        session = sessions.open(server.address)
        with ThreadPoolExecutor(2) as pool:
            limited = pool.submit(session.ask, _GET)
            while not sessions.told:
                assert not limited.done()
            other = pool.submit(session.ask, _GET)
            sessions.stop.set()
            for held in (limited, other):
                with pytest.raises(Interrupted):
                    held.result(10)
        assert "closed for" in repr(session)
        assert len(server.asked) == 1


def test_a_stop_ends_the_waiting(sessions: Sessions) -> None:
    policy = RetryPolicy(first_delay=1000, longest_delay=1000)
    with web(_statuses(500)) as server:
        session = sessions.open(server.address, policy=policy)
        threading.Timer(0.05, sessions.stop.set).start()
        with pytest.raises(Interrupted):
            session.ask(_GET)
        assert len(server.asked) == 1


def test_a_stream_that_breaks_in_its_middle_says_so(sessions: Sessions) -> None:
    def treat(line: Line) -> None:
        line.head()
        line.send("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf")

    with peer(treat) as server:
        session = sessions.open(server.address)
        with session.stream(_GET) as (head, pieces):
            assert head.status == 200
            assert bytes(next(pieces)) == b"half"
            with pytest.raises(BrokenTransfer):
                next(pieces)
        assert server.connections == 1


def test_a_stream_that_is_refused_is_an_error(sessions: Sessions) -> None:
    with web(_statuses(404)) as server:
        with (
            pytest.raises(RegimportError, match="404"),
            sessions.open(server.address).stream(_GET),
        ):
            raise AssertionError
        assert len(server.asked) == 1


class _Guarded:
    """A registry that lets in those with one of its `good` tokens, and gives out tokens."""

    def __init__(self, *good: str, refusal: int = 401, error: str = "") -> None:
        self.good = good
        self.given = 0
        self.refusal = refusal
        self.error = error
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Reply:
        if asked.url.startswith("/token"):
            with self._lock:
                self.given += 1
                return Reply.json({"token": f"t{self.given}", "expires_in": 3600})
        authorization = asked.headers.get("authorization", "")
        if authorization.removeprefix("Bearer ") in self.good:
            return Reply(200)
        challenge = 'Bearer realm="/token",service="s",scope="repository:app:pull"'
        if authorization and self.error:
            challenge += f',error="{self.error}"'
        status = self.refusal if authorization else 401
        return Reply(status, {"WWW-Authenticate": challenge})


def test_a_request_that_is_asked_for_a_token_is_repeated_once_with_it(sessions: Sessions) -> None:
    with web(_Guarded("t1")) as server:
        session = sessions.open(server.address, credential=_USER)
        assert session.ask(_GET).ok
        assert session.ask(_GET).ok
        paths = [line.partition("?")[0] for line in server.lines]
        assert paths == ["GET /v2/app/thing", "GET /token", *["GET /v2/app/thing"] * 2]


def test_a_token_that_ran_out_is_replaced(sessions: Sessions) -> None:
    guarded = _Guarded("t1")
    with web(guarded) as server:
        session = sessions.open(server.address, credential=_USER)
        assert session.ask(_GET).ok
        guarded.good = ("t2",)
        assert session.ask(_GET).ok
        assert session.ask(_GET).ok
    assert guarded.given == 2


def test_a_registry_that_takes_no_token_ends_in_access_denied_and_few_tokens(
    sessions: Sessions,
) -> None:
    guarded = _Guarded()
    with web(guarded) as server:
        session = sessions.open(server.address, credential=_USER)

        def ask(_: int) -> RegimportError:
            try:
                return error_of(session.ask(_GET))
            except RegimportError as error:
                return error

        with ThreadPoolExecutor(8) as pool:
            errors = list(pool.map(ask, range(50)))
    assert {type(error) for error in errors} == {AccessDenied}
    assert guarded.given <= 2


def test_a_token_that_is_too_narrow_is_replaced_once(sessions: Sessions) -> None:
    guarded = _Guarded("t2", refusal=403, error="insufficient_scope")
    with web(guarded) as server:
        session = sessions.open(server.address, credential=_USER)
        guarded.good = ("t2",)
        first = session.ask(_GET)
        assert (first.ok, guarded.given) in {(True, 2), (False, 1)}
        assert session.ask(_GET).ok
        assert guarded.given == 2


def test_a_403_without_insufficient_scope_costs_no_token(sessions: Sessions) -> None:
    guarded = _Guarded("t1")
    with web(guarded) as server:
        session = sessions.open(server.address, credential=_USER)
        assert session.ask(_GET).ok
        guarded.good, guarded.refusal = (), 403
        for _ in range(3):
            assert session.ask(_GET).status == 403
    assert guarded.given == 1


def test_a_token_that_stays_too_narrow_is_not_replaced_for_ever(sessions: Sessions) -> None:
    guarded = _Guarded(refusal=403, error="insufficient_scope")
    with web(guarded) as server:
        session = sessions.open(server.address, credential=_USER)
        assert {session.ask(_GET).status for _ in range(20)} == {403}
    assert guarded.given == 2


def test_refused_basic_credentials_are_offered_twice_at_most(sessions: Sessions) -> None:
    with web(_statuses(401, **{"WWW-Authenticate": "Basic realm=r"})) as server:
        session = sessions.open(server.address, credential=_USER)
        assert session.ask(_GET).status == 401
        for _ in range(5):
            with pytest.raises(AccessDenied):
                session.ask(_GET)
        assert session.refused is not None
        offered = [asked.headers.get("authorization") for asked in server.asked]
        assert offered == [None, _USER.basic(), _USER.basic()]


def test_a_stream_that_is_asked_for_a_token_in_its_middle_is_broken(sessions: Sessions) -> None:
    def body() -> Iterator[bytes]:
        yield b"ab"

    with web(_Guarded("t1")) as server:
        request = Request("PUT", "app/thing", _PULL, {"Content-Length": "2"}, content=body())
        with pytest.raises(BrokenTransfer):
            sessions.open(server.address, credential=_USER).send(request)
        assert sum(asked.method == "PUT" for asked in server.asked) == 1
