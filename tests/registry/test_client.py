"""Redirects: where they are followed, and what goes along."""

from __future__ import annotations

from dataclasses import replace

import pytest

from regimport.errors import AccessDenied, NotFound, RegistryError
from regimport.models.credential import Credential
from regimport.registry.request import Request
from regimport.transport.answers import error_of
from registry.conftest import Sessions
from support.peers import Asked, Line, Reply, peer, web

_USER = Credential("user", "secret")
_SCOPES = ("repository:app:pull",)
_GET = Request("GET", "app/thing", _SCOPES, {"X-Own": "1", "Cookie": "a=b", "Accept": "x/y"})


def _guarded(location: str, status: int = 307) -> Reply:
    return Reply(status, {"Location": location, "Set-Cookie": "stolen=1"})


def _refuses(asked: Asked) -> Reply | None:
    if "authorization" in asked.headers:
        return None
    return Reply(401, {"WWW-Authenticate": "Basic realm=r"})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_origin_keeps_the_authorization(
    status: int, sessions: Sessions
) -> None:
    def answer(asked: Asked) -> Reply:
        there = asked.url == "/there"
        return _refuses(asked) or (Reply(200) if there else _guarded("/there", status))

    with web(answer) as server:
        assert sessions.open(server.address, credential=_USER).ask(_GET).ok
        assert server.asked[-1].url == "/there"
        assert server.asked[-1].headers["authorization"] == _USER.basic()
        assert server.asked[-1].headers["x-own"] == "1"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_another_origin_hears_nothing_of_the_user(method: str, sessions: Sessions) -> None:
    with web(lambda _: Reply(200, {"X-There": "1"})) as other:
        with web(lambda asked: _refuses(asked) or _guarded(f"{other.url}/signed?a=b")) as server:
            session = sessions.open(server.address, credential=_USER)
            request = Request(method, "app/thing", _SCOPES, _GET.headers)
            answer = session.ask(request)
            assert answer.headers["x-there"] == "1"
            assert answer.url == f"{other.url}/signed?a=b"
        (asked,) = other.asked
    assert asked.url == "/signed?a=b"
    assert set(asked.headers) == {"host", "user-agent", "accept-encoding", "accept"}
    assert asked.headers["host"] == other.address


def test_the_user_is_not_forgotten_on_the_way_back(sessions: Sessions) -> None:
    """A detour over another host neither loses nor leaks the credentials."""
    with web(lambda _: Reply(302, {"Location": f"{server.url}/end"})) as other:

        def answer(asked: Asked) -> Reply:
            end = asked.url == "/end"
            return _refuses(asked) or (Reply(200) if end else _guarded(f"{other.url}/"))

        with web(answer) as server:
            assert sessions.open(server.address, credential=_USER).ask(_GET).ok
        assert all("authorization" not in asked.headers for asked in other.asked)


def test_cookies_are_not_kept(sessions: Sessions) -> None:
    with web(lambda _: Reply(200, {"Set-Cookie": "a=b"})) as server:
        session = sessions.open(server.address)
        for _ in range(2):
            session.ask(Request("GET", "app/thing"))
        assert all("cookie" not in asked.headers for asked in server.asked)


def test_a_challenge_of_another_origin_is_not_answered(sessions: Sessions) -> None:
    with web(lambda _: Reply(401, {"WWW-Authenticate": "Basic realm=r"})) as other:
        with web(lambda _: _guarded(f"{other.url}/")) as server:
            session = sessions.open(server.address, credential=_USER)
            assert session.ask(_GET).status == 401
        assert ["authorization" in asked.headers for asked in other.asked] == [False]


def test_a_redirect_loop_ends_after_five(sessions: Sessions) -> None:
    with web(lambda _: _guarded("/again")) as server:
        with pytest.raises(RegistryError, match="more than 5 times"):
            sessions.open(server.address).ask(_GET)
        assert len(server.asked) == 6


def test_five_redirects_are_followed(sessions: Sessions) -> None:
    def answer(asked: Asked) -> Reply:
        number = int(asked.url[1:]) if asked.url[1:].isdecimal() else 0
        return Reply(200) if number == 5 else _guarded(f"/{number + 1}")

    with web(answer) as server:
        assert sessions.open(server.address).ask(_GET).ok


@pytest.mark.parametrize("status", [301, 302, 303])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_redirect_that_may_turn_a_write_into_a_get_is_not_followed(
    method: str, status: int, sessions: Sessions
) -> None:
    with web(lambda _: _guarded("/there", status)) as server:
        answer = sessions.open(server.address).ask(Request(method, "app/thing", body=b"x"))
        assert answer.status == status
        assert error_of(answer).message.endswith("a redirect to /there")
        assert len(server.asked) == 1


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_write_is_sent_again_where_its_origin_redirects_it(
    method: str, status: int, sessions: Sessions
) -> None:
    def answer(asked: Asked) -> Reply:
        there = asked.url == "/there"
        return _refuses(asked) or (Reply(201) if there else _guarded("/there", status))

    with web(answer) as server:
        session = sessions.open(server.address, credential=_USER)
        said = session.ask(Request(method, "app/thing", _SCOPES, {"X-Own": "1"}, body=b"x"))
        assert said.status == 201
        assert said.url == f"{server.url}/there"
        last = server.asked[-1]
        assert (last.method, last.body, last.headers["x-own"]) == (method, b"x", "1")
        assert last.headers["authorization"] == _USER.basic()


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_write_that_is_redirected_to_another_origin_is_refused(
    method: str, streamed: bool, sessions: Sessions
) -> None:
    request = Request(method, "app/thing", body=b"" if streamed else b"x")
    if streamed:
        request = replace(request, headers={"Content-Length": "1"}, content=iter([b"x"]))
    with web(lambda _: Reply(200)) as other, web(lambda _: _guarded(f"{other.url}/x")) as server:
        session = sessions.open(server.address)
        with pytest.raises(RegistryError) as raised:
            (session.send if streamed else session.ask)(request)
        assert f"answered 307, a redirect to {other.url}/x" in raised.value.message
        assert other.address in str(raised.value.hint)
        assert other.asked == []
        assert len(server.asked) == 1


def test_a_write_that_is_redirected_in_a_circle_ends_after_five(sessions: Sessions) -> None:
    with web(lambda _: _guarded("/again")) as server:
        with pytest.raises(RegistryError, match="more than 5 times"):
            sessions.open(server.address).ask(Request("POST", "app/thing"))
        assert len(server.asked) == 6


@pytest.mark.parametrize("location", ["", "ftp://127.0.0.1/", "http://user:secret@127.0.0.1/"])
def test_a_redirect_to_nowhere_good_is_refused_without_a_secret(
    location: str, sessions: Sessions
) -> None:
    with web(lambda _: Reply(302, {"Location": location})) as server:
        with pytest.raises(RegistryError) as raised:
            sessions.open(server.address).ask(_GET)
        assert "secret" not in str(raised.value)
        assert len(server.asked) == 1


def test_a_look_for_tls_that_breaks_is_tried_again_and_leaves_nothing_open(
    sessions: Sessions,
) -> None:
    def treat(line: Line) -> None:
        line.head()
        if line.number == 0:
            line.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nwords")
            assert line.head() == []
        elif line.number > 1:
            line.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with peer(treat) as server:
        assert sessions.open(server.address).ask(_GET).body == b"ok"
        for _ in range(3):
            assert server.closed.acquire(timeout=10)


@pytest.mark.parametrize("status", [400, 403, 404])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_registry_is_asked_again_for_a_url_that_its_storage_refuses(
    method: str, status: int, sessions: Sessions
) -> None:
    signed: list[str] = []

    def sign(_: Asked) -> Reply:
        signed.append(f"/blob?signature={len(signed)}")
        return _guarded(f"{storage.url}{signed[-1]}")

    with web(lambda asked: Reply(200 if asked.url.endswith("=1") else status)) as storage:
        with web(sign) as server:
            assert sessions.open(server.address).ask(Request(method, "app/thing", _SCOPES)).ok
        assert [asked.url for asked in storage.asked] == signed
        assert len(signed) == 2


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, RegistryError), (401, AccessDenied), (403, AccessDenied), (404, NotFound)],
)
def test_storage_that_refuses_is_named_and_not_the_account(
    status: int, kind: type[RegistryError], sessions: Sessions
) -> None:
    with web(lambda _: Reply(status, {}, b"SignatureDoesNotMatch")) as storage:
        with web(lambda _: _guarded(f"{storage.url}/blob?signature=s3cret")) as server:
            error = error_of(sessions.open(server.address).ask(_GET))
            message = (
                f"the storage that {server.url}/v2/app/thing leads to refuses: GET {storage.url}/"
                f"blob?signature=… answered {status}"
            )
    assert type(error) is kind
    assert error.message.startswith(message)
    assert "account" not in str(error.hint)
    assert len(storage.asked) == (1 if status == 401 else 2)


def test_a_registry_that_refuses_by_itself_is_asked_once(sessions: Sessions) -> None:
    with web(lambda _: Reply(403)) as server:
        assert sessions.open(server.address).ask(_GET).status == 403
        assert len(server.asked) == 1
