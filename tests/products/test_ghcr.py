"""GitHub Container Registry: personal tokens, and questions that it refuses."""

from __future__ import annotations

import pytest

from regimport import AccessDenied, Credential
from support.miniature import Miniature, TokenDoor, complaint
from support.scripted import Heard, Say
from support.world import World

_TOKEN = Credential("octocat", "ghp_personal")


@pytest.fixture
def door() -> TokenDoor:
    # Its tokens are opaque and say nothing of how long they last.
    return TokenDoor({"octocat": "ghp_personal"}, service="ghcr.io", reply={})


def test_ghcr_takes_a_personal_token_as_the_password(
    world: World, here: Miniature, door: TokenDoor
) -> None:
    registry = world.registry("ghcr.io", "octocat/app", door=door)
    world.copy("ghcr.io/octocat/app", "here.example/copy", _TOKEN)
    assert here.holds("copy", world.image)
    world.copy("here.example/team/app", "ghcr.io/octocat/new", None, _TOKEN)
    assert registry.holds("octocat/new", world.image)


def test_ghcr_serves_public_packages_to_nobody_in_particular(
    world: World, here: Miniature, door: TokenDoor
) -> None:
    door.anonymous = True
    world.registry("ghcr.io", "octocat/app", door=door)
    world.copy("ghcr.io/octocat/app", "here.example/copy")
    assert here.holds("copy", world.image)


def test_ghcr_forbids_to_ask_for_what_is_new_and_takes_the_push_all_the_same(
    world: World, here: Miniature, door: TokenDoor
) -> None:
    """HEAD of a manifest or a blob in a package that is not there yet answers 403."""

    def strict(heard: Heard) -> Say | None:
        if heard.method == "HEAD" and not world.heard("ghcr.io", "PUT"):
            return complaint(403, "DENIED", "permission_denied: read_package")
        return door(heard)

    registry = world.registry("ghcr.io", door=strict)
    world.copy("here.example/team/app", "ghcr.io/octocat/new", None, _TOKEN)
    assert registry.holds("octocat/new", world.image)


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_ghcr_forbids_a_write_by_chance_and_is_asked_once_more(
    world: World, here: Miniature, door: TokenDoor, method: str
) -> None:
    forbidden: list[str] = []

    def moody(heard: Heard) -> Say | None:
        small = heard.method == "POST" or "/manifests/" in heard.path
        if heard.method == method and small and heard.authorization and "mount" not in heard.path:
            forbidden.append(heard.path)
            if len(forbidden) == 1:
                return complaint(403, "DENIED", "permission_denied: write_package")
        if "mount=" in heard.path:
            return complaint(405, "UNSUPPORTED")
        return door(heard)

    registry = world.registry("ghcr.io", door=moody)
    world.copy("here.example/team/app", "ghcr.io/octocat/new", None, _TOKEN, jobs=1)
    assert registry.holds("octocat/new", world.image)
    assert forbidden.count(forbidden[0]) >= 2


def test_ghcr_forbids_a_push_without_the_right_to_write_packages_and_is_asked_but_once(
    world: World, here: Miniature, door: TokenDoor
) -> None:
    def strict(heard: Heard) -> Say | None:
        if heard.method in {"POST", "PUT"} and heard.authorization is not None:
            return complaint(403, "DENIED", "permission_denied: write_package")
        return door(heard)

    registry = world.registry("ghcr.io", door=strict)
    with pytest.raises(AccessDenied, match="write_package"):
        world.copy("here.example/team/app", "ghcr.io/octocat/new", None, _TOKEN)
    assert registry.manifests == {}
    assert len(door.asked) <= 2
