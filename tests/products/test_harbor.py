"""Harbor: robots with a dollar, and projects that must exist."""

from __future__ import annotations

import pytest

from regimport import AccessDenied, Credential, NotFound
from support.miniature import Miniature, TokenDoor, complaint
from support.scripted import Heard, Say
from support.world import World

_HOST = "harbor.example"
_ROBOT = Credential("robot$team+ci", "secret")


@pytest.fixture
def door() -> TokenDoor:
    users = {"robot$team+ci": "secret"}
    return TokenDoor(users, path="/service/token", service="harbor-registry")


def test_harbor_takes_a_robot_whose_name_holds_a_dollar_and_a_plus(
    world: World, here: Miniature, door: TokenDoor
) -> None:
    registry = world.registry(_HOST, "team/app", door=door)
    world.copy(f"{_HOST}/team/app", "here.example/copy", _ROBOT)
    world.copy("here.example/team/app", f"{_HOST}/team/new", None, _ROBOT)
    assert registry.holds("team/new", world.image)
    assert {query["account"][0] for query in door.asked} == {"robot$team+ci"}


@pytest.mark.parametrize("status", [401, 403, 404, 405, 500])
def test_harbor_refuses_to_mount_from_another_project_and_the_blobs_are_sent(
    world: World, door: TokenDoor, status: int
) -> None:
    def strict(heard: Heard) -> Say | None:
        if "mount=" in heard.path and "from=other" in heard.path:
            return complaint(status, "UNAUTHORIZED", "project other not found")
        return door(heard)

    registry = world.registry(_HOST, "other/app", door=strict)
    world.copy(f"{_HOST}/other/app", f"{_HOST}/team/app", _ROBOT, _ROBOT)
    assert registry.holds("team/app", world.image)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_harbor_s_missing_project_is_told_and_nothing_is_tried_again(
    world: World, here: Miniature, door: TokenDoor, status: int
) -> None:
    def strict(heard: Heard) -> Say | None:
        if heard.method == "POST" and heard.authorization is not None:
            return complaint(status, "NAME_UNKNOWN", "project nowhere not found")
        return door(heard)

    world.registry(_HOST, door=strict)
    with pytest.raises((AccessDenied, NotFound), match="project nowhere not found") as caught:
        world.copy("here.example/team/app", f"{_HOST}/nowhere/app", None, _ROBOT, jobs=1)
    assert "create the repository (or project)" in str(caught.value.hint)
    assert len(world.heard(_HOST, "POST")) <= 4
