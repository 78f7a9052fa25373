"""Azure Container Registry: tokens of Microsoft Entra, and what `docker login` takes."""

from __future__ import annotations

import base64
import logging
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from urllib.parse import parse_qsl

import pytest

from regimport import AccessDenied, Credential, InvalidOptions
from regimport.clouds import azure
from support.miniature import Miniature, TokenDoor, as_json, basic, complaint
from support.scripted import Heard, Say
from support.world import World

_HOST = "source.azurecr.io"
_ANYBODY = "00000000-0000-0000-0000-000000000000"


@dataclass
class AzureDoor(TokenDoor):
    """Exchanges tokens of Entra for its own, and gives access tokens for those."""

    path: str = "/oauth2/token"
    service: str = _HOST
    name: str = "access_token"
    entra: str = "entra-token"
    refresh_tokens: set[str] = field(default_factory=set)

    def __call__(self, heard: Heard) -> Say | None:
        form = dict(parse_qsl(heard.body.decode())) if heard.method == "POST" else {}
        if heard.path == "/oauth2/exchange":
            if form.get("grant_type") != "access_token" or form.get("access_token") != self.entra:
                return complaint(401, "UNAUTHORIZED", "invalid token")
            token = secrets.token_hex(8)
            self.refresh_tokens.add(token)
            return as_json({"refresh_token": token})
        if heard.path == self.path and heard.method == "POST":
            if form["refresh_token"] not in self.refresh_tokens:
                return complaint(401, "UNAUTHORIZED", "invalid refresh token")
            return self.grant(tuple(form["scope"].split()))
        return super().__call__(heard)

    def give(self, heard: Heard) -> Say:
        known = {basic(_ANYBODY, token) for token in self.refresh_tokens}
        if heard.authorization in known:
            query = dict(parse_qsl(heard.path.partition("?")[2]))
            return self.grant((query["scope"],))
        return super().give(heard)


@pytest.fixture
def door() -> AzureDoor:
    return AzureDoor({"app-id": "secret", "repository-token": "generated"})


@pytest.fixture
def source(world: World, door: AzureDoor) -> Miniature:
    return world.registry(_HOST, "team/app", door=door)


@pytest.fixture
def entra(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Somebody is logged in at Azure; what their login was asked for."""
    asked: list[str] = []

    def get_token(scope: str) -> SimpleNamespace:
        asked.append(scope)
        return SimpleNamespace(token="entra-token", expires_on=time.time() + 3600)

    monkeypatch.setattr(azure, "_chain", lambda _: SimpleNamespace(get_token=get_token))
    return asked


def test_acr_lets_in_who_is_logged_in_at_azure(
    world: World, here: Miniature, source: Miniature, entra: list[str]
) -> None:
    world.copy(f"{_HOST}/team/app", "here.example/copy")
    assert here.holds("copy", world.image)
    assert entra == ["https://containerregistry.azure.net/.default"]
    exchanges = [heard for heard in world.heard(_HOST) if heard.path == "/oauth2/exchange"]
    assert len(exchanges) == 1
    assert world.warnings == []


def test_acr_s_tokens_are_told_nowhere(
    world: World,
    here: Miniature,
    source: Miniature,
    door: AzureDoor,
    entra: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, "regimport"):
        world.copy(f"{_HOST}/team/app", "here.example/copy")
    assert "/oauth2/exchange" in caplog.text
    for secret in ("entra-token", *door.refresh_tokens, *door.tokens):
        assert secret not in caplog.text


def test_acr_takes_a_push_by_who_is_logged_in_at_azure(
    world: World, here: Miniature, door: AzureDoor, entra: list[str]
) -> None:
    door.service = "target.azurecr.io"
    target = world.registry("target.azurecr.io", door=door)
    world.copy("here.example/team/app", "target.azurecr.io/team/app")
    assert target.holds("team/app", world.image)


def test_acr_takes_an_access_token_of_entra_without_a_user_name(
    world: World, here: Miniature, source: Miniature
) -> None:
    """As `az acr import --password TOKEN` does."""
    world.copy(f"{_HOST}/team/app", "here.example/copy", Credential(password="entra-token"))
    assert here.holds("copy", world.image)


def test_acr_takes_its_own_token_without_a_user_name(
    world: World, here: Miniature, source: Miniature, door: AzureDoor
) -> None:
    """As `az acr login --expose-token` prints it."""
    door.refresh_tokens.add("exposed")
    world.copy(f"{_HOST}/team/app", "here.example/copy", Credential(password="exposed"))
    assert here.holds("copy", world.image)


@pytest.mark.parametrize("as_identity", [True, False])
def test_acr_takes_what_az_acr_login_left_for_docker(
    world: World,
    here: Miniature,
    source: Miniature,
    door: AzureDoor,
    logged_in: Callable[[object], None],
    as_identity: bool,
) -> None:
    door.refresh_tokens.add("kept")
    whole = {
        "auth": base64.b64encode(f"{_ANYBODY}:".encode()).decode(),
        "identitytoken": "kept",
    }
    entry = whole if as_identity else {"username": _ANYBODY, "password": "kept"}
    logged_in({"auths": {_HOST: entry}})
    world.copy(f"{_HOST}/team/app", "here.example/copy")
    assert here.holds("copy", world.image)


@pytest.mark.parametrize(
    ("username", "password"), [("app-id", "secret"), ("repository-token", "generated")]
)
def test_acr_takes_a_service_principal_and_a_token_for_repositories(
    world: World, here: Miniature, source: Miniature, username: str, password: str
) -> None:
    world.copy(f"{_HOST}/team/app", "here.example/copy", Credential(username, password))
    assert here.holds("copy", world.image)


def test_acr_sends_blobs_from_storage_that_is_told_nothing(
    world: World, here: Miniature, source: Miniature, entra: list[str]
) -> None:
    storage = world.serve("store.blob.core.windows.net", source.stored)
    source.storage = "http://store.blob.core.windows.net"
    world.copy(f"{_HOST}/team/app", "here.example/copy")
    assert here.holds("copy", world.image)
    assert {heard.authorization for heard in storage.heard} == {None}


def test_acr_refuses_a_token_that_is_over_and_the_error_says_so(
    world: World, here: Miniature, source: Miniature, door: AzureDoor, entra: list[str]
) -> None:
    door.entra = "another"
    with pytest.raises(AccessDenied, match="access token of Microsoft Entra") as caught:
        world.copy(f"{_HOST}/team/app", "here.example/copy")
    assert "entra-token" not in caught.value.message


def test_acr_lets_anybody_pull_if_that_is_on_even_who_is_logged_in_elsewhere(
    world: World, here: Miniature, source: Miniature, door: AzureDoor, entra: list[str]
) -> None:
    """The login of another tenant is refused, and then nobody in particular asks."""
    door.entra, door.anonymous = "another", True
    world.copy(f"{_HOST}/team/app", "here.example/copy")
    assert here.holds("copy", world.image)


def test_acr_without_the_extra_says_which_one_would_help(
    world: World, here: Miniature, source: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "regimport.clouds.azure", None)
    with pytest.raises(AccessDenied) as caught:
        world.copy(f"{_HOST}/team/app", "here.example/copy")
    assert "pip install 'azure-identity>=1.16.1'" in caught.value.message


def test_acr_s_look_alike_gets_no_token(
    world: World, here: Miniature, entra: list[str], door: AzureDoor
) -> None:
    host = "evil.azurecr.io.attacker.example"
    world.registry(host, "team/app", door=door)
    with pytest.raises(AccessDenied):
        world.copy(f"{host}/team/app", "here.example/copy")
    with pytest.raises(InvalidOptions):
        world.copy(f"{host}/team/app", "here.example/copy", Credential(password="entra-token"))
    assert entra == []
    assert world.said(host) == {None}
    assert all(b"entra" not in heard.body for heard in world.heard(host))
