"""Tokens: how they are asked for, read, kept and given up."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest

from regimport.auth.challenge import parse_challenges
from regimport.auth.lookup import CredentialLookup
from regimport.auth.tokens import Authorizer, Scopes
from regimport.errors import AccessDenied, RegistryError
from regimport.models.credential import Credential
from regimport.transport.answers import Answer
from regimport.transport.origins import Origin

_USER = Credential("user", "secret")
_PULL = ("repository:app:pull",)
_CHALLENGES = parse_challenges('Bearer realm="https://auth.example/token?x=1",service="reg"')


class _Service:
    """A token service that answers with `document`, or as `answer` says."""

    def __init__(self, document: object = None, answer: Callable[[str], Answer] | None = None):
        self.document = {"token": "t"} if document is None else document
        self.answer = answer
        self.asked: list[tuple[str, str, Mapping[str, str], bytes]] = []

    def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.asked.append((method, url, headers, body))
        if self.answer is not None:
            return self.answer(method)
        raw = self.document if isinstance(self.document, bytes) else json.dumps(self.document)
        return _answer(200, raw if isinstance(raw, bytes) else raw.encode())


def _answer(status: int, body: bytes = b"") -> Answer:
    return Answer("GET", "https://auth.example/token", status, httpx.Headers(), body)


def _enter(service: _Service, credential: Credential | None = None) -> Authorizer:
    return Authorizer(
        Origin.of("https://r.example"), CredentialLookup(lambda _: credential), service
    )


def _renew(authorizer: Authorizer, scopes: Scopes = _PULL, rejected: str | None = None) -> str:
    header = authorizer.renew(_CHALLENGES, scopes, rejected)
    assert header is not None
    return header


def test_each_scope_is_a_parameter_of_its_own() -> None:
    service = _Service()
    assert _renew(_enter(service), (*_PULL, "repository:base:pull")) == "Bearer t"
    ((method, url, headers, body),) = service.asked
    assert (method, body) == ("GET", b"")
    assert url.startswith("https://auth.example/token?x=1&")
    assert parse_qs(urlsplit(url).query) == {
        "x": ["1"],
        "service": ["reg"],
        "scope": ["repository:app:pull", "repository:base:pull"],
    }
    assert "Authorization" not in headers


def test_a_password_goes_in_the_header_and_never_in_the_url() -> None:
    service = _Service()
    _renew(_enter(service, _USER))
    ((_, url, headers, _),) = service.asked
    assert headers["Authorization"] == _USER.basic()
    assert "secret" not in url


def test_an_identity_token_is_posted() -> None:
    service = _Service({"access_token": "a"})
    assert _renew(_enter(service, Credential(identity_token="refresh"))) == "Bearer a"
    ((method, url, headers, body),) = service.asked
    form = dict(parse_qsl(body.decode()))
    assert (method, headers.get("Authorization")) == ("POST", None)
    assert (form["grant_type"], form["refresh_token"]) == ("refresh_token", "refresh")
    assert form["scope"] == "repository:app:pull"
    assert "refresh" not in url


@pytest.mark.parametrize("status", [404, 405])
def test_a_password_is_posted_where_get_is_not_known(status: int) -> None:
    service = _Service(
        answer=lambda method: _answer(*((200, b'{"token":"p"}') if method == "POST" else (status,)))
    )
    assert _renew(_enter(service, _USER)) == "Bearer p"
    form = dict(parse_qsl(service.asked[1][3].decode()))
    assert (form["grant_type"], form["password"]) == ("password", "secret")


def test_a_registry_token_is_used_as_it_is() -> None:
    service = _Service()
    authorizer = _enter(service, Credential(registry_token="mine"))
    assert _renew(authorizer) == "Bearer mine"
    assert _renew(authorizer, rejected="Bearer mine") == "Bearer mine"
    assert service.asked == []


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html>",
        b"\xff",
        b"[" * 100_000,
        [],
        "t",
        7,
        {},
        {"token": ""},
        {"token": 7},
        {"token": "a\r\nX-Evil: 1"},
        {"token": "\u00e9"},
    ],
    ids=str,
)
def test_an_answer_without_a_token_is_a_registry_error(document: object) -> None:
    with pytest.raises(RegistryError) as raised:
        _renew(_enter(_Service(document)))
    assert not isinstance(raised.value, AccessDenied)


@pytest.mark.parametrize(
    ("life", "used"),
    [
        (None, 48),
        (0, 48),
        (-5, 48),
        ("300", 48),
        (True, 48),
        ([], 48),
        (float("nan"), 48),
        (300, 240),
        (1.5e300, 69_120),
        (10**400, 69_120),
        (float("inf"), 69_120),
    ],
    ids=lambda value: str(value)[:8],
)
def test_a_token_is_renewed_at_four_fifths_of_its_life(
    life: object, used: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    service = _Service({"token": "t"} if life is None else {"token": "t", "expires_in": life})
    authorizer = _enter(service)
    _renew(authorizer)
    clock[0] += used - 0.5
    authorizer.header(_PULL)
    assert len(service.asked) == 1
    clock[0] += 1
    authorizer.header(_PULL)
    assert len(service.asked) == 2


def test_many_threads_ask_for_one_token() -> None:
    together = threading.Barrier(20)
    service = _Service()
    authorizer = _enter(service)

    def ask(_: int) -> str:
        together.wait(10)
        return _renew(authorizer)

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(ask, range(20))) == {"Bearer t"}
    assert len(service.asked) == 1


def test_each_set_of_scopes_has_its_token() -> None:
    service = _Service()
    authorizer = _enter(service)
    _renew(authorizer)
    for _ in range(3):
        authorizer.header(_PULL)
        authorizer.header(("repository:other:pull",))
    assert len(service.asked) == 2


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("credential", [None, _USER, Credential(identity_token="secret")])
def test_refused_credentials_are_not_offered_again(
    status: int, credential: Credential | None
) -> None:
    service = _Service(answer=lambda _: _answer(status))
    authorizer = _enter(service, credential)
    for _ in range(5):
        with pytest.raises(AccessDenied) as raised:
            _renew(authorizer)
        assert "secret" not in f"{raised.value} {raised.value.hint}"
    assert len(service.asked) == 1


def test_a_credential_that_is_refused_is_renewed_once() -> None:
    """As a helper or a cloud gives another one when the first has run out."""
    asked: list[Credential] = []

    def renew(_repository: str, rejected: Credential) -> Credential | None:
        asked.append(rejected)
        return Credential("user", "fresh")

    def answer(_method: str) -> Answer:
        fresh = service.asked[-1][2]["Authorization"] == Credential("user", "fresh").basic()
        return _answer(200, b'{"token":"t"}') if fresh else _answer(401)

    service = _Service(answer=answer)
    keys = CredentialLookup(lambda _: _USER, renew)
    assert _renew(Authorizer(Origin.of("https://r.example"), keys, service)) == "Bearer t"
    assert asked == [_USER]
    assert len(service.asked) == 2


def test_a_password_that_is_refused_is_renewed_once() -> None:
    fresh = Credential("user", "fresh")
    keys = CredentialLookup(lambda _: _USER, lambda *_: fresh)
    authorizer = Authorizer(Origin.of("https://r.example"), keys, _Service())
    basic = parse_challenges("Basic realm=r")
    assert authorizer.renew(basic, _PULL, _USER.basic()) == fresh.basic()
    keys = CredentialLookup(lambda _: fresh, lambda *_: fresh)
    with pytest.raises(AccessDenied):
        Authorizer(Origin.of("https://r.example"), keys, _Service()).renew(
            basic, _PULL, fresh.basic()
        )


def test_what_is_refused_may_be_done_without() -> None:
    """As a cloud's login for an image that anybody may have."""
    service = _Service(answer=lambda _: _answer(200, b'{"token":"t"}'))
    service.answer = lambda _: (
        _answer(401) if service.asked[-1][2] else _answer(200, b'{"token":"t"}')
    )
    keys = CredentialLookup(lambda _: _USER, lambda *_: None)
    assert _renew(Authorizer(Origin.of("https://r.example"), keys, service)) == "Bearer t"
    service.answer = lambda _: _answer(401)
    with pytest.raises(AccessDenied, match="user 'user' with a password"):
        _renew(Authorizer(Origin.of("https://r.example"), keys, service))


@pytest.mark.parametrize(
    "credential",
    [
        Credential(identity_token="hunter2"),
        Credential(registry_token="hunter2"),
        Credential(entra_token="hunter2"),
    ],
)
def test_a_token_is_never_sent_as_a_password(credential: Credential) -> None:
    authorizer = _enter(_Service(), credential)
    with pytest.raises(AccessDenied, match="wants a user name and a password") as caught:
        authorizer.renew(parse_challenges("Basic realm=r"), _PULL, None)
    assert "hunter2" not in caught.value.message


def test_a_password_that_is_refused_is_so_for_the_repositories_that_have_it() -> None:
    by_repository = {"a": Credential("a", "wrong"), "b": Credential("b", "right")}
    authorizer = Authorizer(
        Origin.of("https://r.example"), CredentialLookup(by_repository.get), _Service()
    )
    basic = parse_challenges("Basic realm=r")
    wrong = authorizer.renew(basic, ("repository:a:pull",), None)
    with pytest.raises(AccessDenied):
        authorizer.renew(basic, ("repository:a:pull",), wrong)
    with pytest.raises(AccessDenied):
        authorizer.header(("repository:a:push",))
    assert authorizer.refused is not None
    assert authorizer.header(("repository:b:pull",)) == Credential("b", "right").basic()


@pytest.mark.parametrize(
    "credential",
    [
        Credential("us\ner", "hunter2"),
        Credential("user", "hunter2\udcff"),
        Credential(registry_token="hunter2\nX-Evil: 1"),
        Credential(registry_token="hunter2\u0142"),
        Credential(identity_token="hunter2\n"),
        Credential("", "hunter2\n", entra_token="hunter2\n"),
    ],
)
@pytest.mark.parametrize("challenge", ['Bearer realm="https://r.example/t"', 'Basic realm="r"'])
def test_a_credential_that_cannot_be_sent_is_an_error_without_its_secret(
    credential: Credential, challenge: str
) -> None:
    service = _Service()
    with pytest.raises(AccessDenied, match="were not sent") as caught:
        _enter(service, credential).renew(parse_challenges(challenge), _PULL, None)
    assert "hunter2" not in f"{caught.value!r} {caught.value.hint}"
    assert service.asked == []


def _redirecting(location: str, status: int = 302) -> _Service:
    """A token service with TLS that redirects once."""
    service = _Service()
    headers = httpx.Headers({"Location": location})
    first = Answer("GET", "https://auth.example/token", status, headers)
    answers = iter([first])
    service.answer = lambda _: next(answers, _answer(200, b'{"token":"t"}'))
    return service


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_token_service_is_never_followed_from_https_to_http(status: int) -> None:
    service = _redirecting("http://other.example/token", status)
    with pytest.raises(RegistryError, match="from https to"):
        _renew(_enter(service, _USER))
    assert len(service.asked) == 1


@pytest.mark.parametrize("location", ["http://auth.example/token/", "/token/", "//auth.example/t"])
def test_a_token_service_that_calls_itself_http_is_spoken_to_with_tls(location: str) -> None:
    service = _redirecting(location)
    assert _renew(_enter(service, _USER)) == "Bearer t"
    _, url, headers, _ = service.asked[1]
    assert url.startswith("https://auth.example/")
    assert headers["Authorization"] == _USER.basic()


def test_a_token_service_with_tls_at_another_host_is_asked_as_nobody() -> None:
    service = _redirecting("https://other.example/token")
    assert _renew(_enter(service, _USER)) == "Bearer t"
    _, url, headers, _ = service.asked[1]
    assert (url, dict(headers)) == ("https://other.example/token", {})
