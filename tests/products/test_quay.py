"""Quay: robot accounts, whose names are no ordinary ones, and OAuth tokens."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from regimport import Credential
from support.miniature import Miniature, TokenDoor, as_json, basic
from support.scripted import Say
from support.world import World

_USERS = {"team+robot": "ROBOT", "$oauthtoken": "oauth", "$app": "app"}


@pytest.fixture
def door() -> TokenDoor:
    return TokenDoor(_USERS, path="/v2/auth", service="quay.io", reply={})


@pytest.mark.parametrize("username", sorted(_USERS))
def test_quay_takes_robots_and_tokens(
    world: World, here: Miniature, door: TokenDoor, username: str
) -> None:
    world.registry("quay.io", "team/app", door=door)
    world.copy("quay.io/team/app", "here.example/copy", Credential(username, _USERS[username]))
    assert here.holds("copy", world.image)
    assert {query["account"][0] for query in door.asked} == {username}


def test_quay_has_a_robot_for_each_team_in_podman_s_file(
    world: World, here: Miniature, logged_in: Callable[[object], None]
) -> None:
    entries = {
        "quay.io": {"username": "all", "password": "no"},
        "quay.io/team": {"username": "team+robot", "password": "ROBOT"},
        "quay.io/team/app2": {"username": "app2", "password": "no"},
    }
    logged_in({"auths": entries})
    door = TokenDoor({"team+robot": "ROBOT"}, path="/v2/auth", service="quay.io")
    world.registry("quay.io", "team/app", door=door)
    world.copy("quay.io/team/app", "here.example/copy")
    assert world.said("quay.io") & {basic("all", "no"), basic("app2", "no")} == set()


def test_quay_s_tokens_may_come_as_two_members(
    world: World, here: Miniature, door: TokenDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def both(scopes: tuple[str, ...]) -> Say:
        door.tokens["both"] = scopes
        return as_json({"token": "both", "access_token": "both", "expires_in": "soon"})

    monkeypatch.setattr(door, "grant", both)
    world.registry("quay.io", "team/app", door=door)
    world.copy("quay.io/team/app", "here.example/copy", Credential("team+robot", "ROBOT"))
    assert here.holds("copy", world.image)
