"""Google Artifact Registry and Container Registry: user names for tokens and keys."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import google.auth
import pytest

from regimport import AccessDenied, Credential
from support.miniature import Miniature, TokenDoor, basic, complaint
from support.scripted import Heard, Say
from support.world import World

_HOST = "europe-west3-docker.pkg.dev"
_KEY = json.dumps({"type": "service_account", "private_key": "-----BEGIN: s3cret\n"})
_USERS = {"oauth2accesstoken": "ya29.token", "_json_key": _KEY}


@pytest.fixture
def door() -> TokenDoor:
    # It names no scope in what it asks for, and chokes on more than one.
    return TokenDoor(_USERS, path="/v2/token", service=_HOST, scope="", most_scopes=1)


@pytest.mark.parametrize("host", [_HOST, "gcr.io", "eu.gcr.io"])
def test_google_lets_in_who_is_logged_in_there(
    world: World, here: Miniature, door: TokenDoor, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    person = SimpleNamespace(token="ya29.token", expiry=None, refresh=lambda _: None)
    monkeypatch.setattr(google.auth, "default", lambda **_: (person, "project"))
    world.registry(host, "project/team/app", door=door)
    world.copy(f"{host}/project/team/app", "here.example/copy")
    assert here.holds("copy", world.image)
    assert basic("oauth2accesstoken", "ya29.token") in world.said(host)


@pytest.mark.parametrize("username", sorted(_USERS))
def test_google_takes_a_token_and_a_key_as_passwords(
    world: World, here: Miniature, door: TokenDoor, username: str
) -> None:
    world.registry(_HOST, "project/team/app", door=door)
    user = Credential(username, _USERS[username])
    world.copy(f"{_HOST}/project/team/app", "here.example/copy", user)
    assert here.holds("copy", world.image)


def test_google_names_no_scope_and_gets_the_one_that_is_needed(
    world: World, here: Miniature, door: TokenDoor
) -> None:
    world.registry(_HOST, door=door)
    user = Credential("_json_key", _KEY)
    world.copy("here.example/team/app", f"{_HOST}/project/team/app", None, user)
    assert [query["scope"] for query in door.asked] == [["repository:project/team/app:pull,push"]]


def test_google_cannot_give_a_token_for_two_repositories_so_blobs_are_sent(
    world: World, door: TokenDoor
) -> None:
    registry = world.registry(_HOST, "project/team/app", door=door)
    user = Credential("_json_key", _KEY)
    world.copy(f"{_HOST}/project/team/app", f"{_HOST}/project/team/copy", user, user)
    assert registry.holds("project/team/copy", world.image)


def test_google_refuses_with_403_and_no_challenge_and_is_not_asked_for_ever(
    world: World, here: Miniature
) -> None:
    def door(_: Heard) -> Say:
        return complaint(403, "DENIED")

    world.registry(_HOST, "project/team/app", door=door)
    with pytest.raises(AccessDenied, match="403 Forbidden"):
        world.copy(f"{_HOST}/project/team/app", "here.example/copy", Credential("u", "p"))
    asked = [(heard.method, heard.path.rpartition("/")[2]) for heard in world.heard(_HOST)]
    # Once for a challenge, at /v2/, and once without HEAD, which is refused by some alone.
    assert asked == [("HEAD", "latest"), ("GET", ""), ("GET", "latest")]


def test_google_without_the_extra_says_which_one_would_help(
    world: World, here: Miniature, door: TokenDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "regimport.clouds.google", None)
    world.registry(_HOST, "project/team/app", door=door)
    with pytest.raises(AccessDenied, match=r"pip install 'google-auth\[requests\]>=2\.20'"):
        world.copy(f"{_HOST}/project/team/app", "here.example/copy")


def test_google_s_look_alike_gets_no_token(
    world: World, here: Miniature, door: TokenDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def default(scopes: object) -> None:
        raise AssertionError("asked for a token")

    monkeypatch.setattr(google.auth, "default", default)
    host = "gcr.io.attacker.example"
    world.registry(host, "project/team/app", door=door)
    with pytest.raises(AccessDenied):
        world.copy(f"{host}/project/team/app", "here.example/copy")
