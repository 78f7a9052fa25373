"""A token of Microsoft Entra is exchanged at the registry, and goes nowhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

import httpx
import pytest

from regimport.auth import entra
from regimport.auth.challenge import parse_challenges
from regimport.auth.lookup import CredentialLookup
from regimport.auth.tokens import Authorizer
from regimport.errors import AccessDenied, RegistryError
from regimport.models.credential import Credential
from regimport.transport.answers import Answer
from regimport.transport.origins import Origin

_ORIGIN = "https://my.azurecr.io"
_CHALLENGE = f'Bearer realm="{_ORIGIN}/oauth2/token",service="my.azurecr.io"'
_SCOPES = ("repository:app:pull",)


class Azure:
    """The two token services of one of Azure's registries."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], str | None]] = []
        self.exchange: Callable[[], tuple[int, bytes]] = lambda: (200, b'{"refresh_token":"R"}')

    def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        path = url.removeprefix(_ORIGIN).partition("?")[0]
        form = dict(parse_qsl(body.decode()))
        self.asked.append((method, path, form, headers.get("Authorization")))
        status, answer = 200, b'{"access_token":"A"}'
        if path == "/oauth2/exchange":
            status, answer = self.exchange()
        return Answer(method, url, status, httpx.Headers(), answer)

    @property
    def lines(self) -> list[str]:
        return [f"{method} {path}" for method, path, _, _ in self.asked]


def _enter(azure: Azure, credential: Credential, challenge: str = _CHALLENGE) -> str | None:
    authorizer = Authorizer(Origin.of(_ORIGIN), CredentialLookup(lambda _: credential), azure)
    header = authorizer.renew(parse_challenges(challenge), _SCOPES, None)
    more = ("repository:base:pull",)
    assert authorizer.renew(parse_challenges(challenge), more, None) == header
    return header


def test_the_token_is_exchanged_once_and_the_registry_s_own_serves_each_repository() -> None:
    azure = Azure()
    assert _enter(azure, Credential(entra_token="E")) == "Bearer A"
    assert azure.lines == ["POST /oauth2/exchange", "POST /oauth2/token", "POST /oauth2/token"]
    exchange, token, _ = (form for _, _, form, _ in azure.asked)
    grant = {"grant_type": "access_token", "service": "my.azurecr.io", "access_token": "E"}
    assert exchange == grant
    assert token["grant_type"] == "refresh_token"
    assert (token["refresh_token"], token["scope"]) == ("R", "repository:app:pull")
    assert "E" not in token.values()


def test_an_exchange_is_made_anew_before_its_token_runs_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    azure = Azure()
    exchange = entra.EntraExchange(Origin.of(_ORIGIN), azure)
    realm = f"{_ORIGIN}/oauth2/token"
    for _ in range(2):
        assert exchange.exchange(realm, "s", "E") == "R"
    later = time.monotonic() + 2.5 * 3600
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert exchange.exchange(realm, "s", "E") == "R"
    assert len(azure.asked) == 2
    assert exchange.exchange(realm, "s", "renewed") == "R"
    assert azure.asked[-1][2]["access_token"] == "renewed"


def test_a_password_alone_may_be_the_registry_s_own_token() -> None:
    """What `az acr login --expose-token` prints, and Docker keeps."""
    azure = Azure()
    azure.exchange = lambda: (401, b"")
    credential = Credential("00000000-0000-0000-0000-000000000000", "R", entra_token="R")
    assert _enter(azure, credential) == "Bearer A"
    assert azure.lines[:2] == ["POST /oauth2/exchange", "GET /oauth2/token"]
    assert azure.asked[1][3] == credential.basic()


def test_a_token_that_is_refused_is_told_without_it() -> None:
    azure = Azure()
    azure.exchange = lambda: (401, b'{"errors":[{"code":"UNAUTHORIZED","message":"expired"}]}')
    with pytest.raises(AccessDenied, match="refused an access token of Microsoft Entra") as caught:
        _enter(azure, Credential(entra_token="hunter2"))
    assert "expired" in caught.value.message
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    "realm", ["https://evil.example/oauth2/token", "https://my.azurecr.io:8443/oauth2/token"]
)
def test_a_registry_that_names_another_host_gets_no_token(realm: str) -> None:
    azure = Azure()
    with pytest.raises(AccessDenied, match="to the registry alone"):
        _enter(azure, Credential(entra_token="E"), f'Bearer realm="{realm}",service="s"')
    assert azure.asked == []


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"refresh_token":7}'])
def test_an_exchange_that_gives_no_token_is_told(body: bytes) -> None:
    azure = Azure()
    azure.exchange = lambda: (200, body)
    with pytest.raises(RegistryError, match="returned no valid refresh token"):
        _enter(azure, Credential(entra_token="E"))
