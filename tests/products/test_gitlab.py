"""GitLab: deploy tokens and job tokens, a token service of the forge, and tokens for one scope."""

from __future__ import annotations

import pytest

from regimport import Credential
from support.miniature import Miniature, TokenDoor
from support.scripted import Heard, Say
from support.world import World

_USERS = {
    "gitlab-ci-token": "job-token",
    "gitlab+deploy-token-1": "gldt-secret",
    "alice": "glpat-personal",
}


class LastScope(TokenDoor):
    """Its tokens are for the last scope that was asked for, as GitLab's once were."""

    def grant(self, scopes: tuple[str, ...]) -> Say:
        return super().grant(scopes[-1:])


@pytest.fixture
def door(world: World) -> LastScope:
    realm = "http://gitlab.example/jwt/auth"
    door = LastScope(_USERS, realm, service="container_registry", reply={"expires_in": 300})
    world.serve("gitlab.example", door.give)
    return door


@pytest.mark.parametrize("username", sorted(_USERS))
def test_gitlab_takes_job_deploy_and_personal_tokens_as_passwords(
    world: World, here: Miniature, door: LastScope, username: str
) -> None:
    world.registry("registry.gitlab.example", "group/app", door=door)
    user = Credential(username, _USERS[username])
    world.copy("registry.gitlab.example/group/app", "here.example/copy", user)
    assert here.holds("copy", world.image)
    assert {query["account"][0] for query in door.asked} == {username}
    assert user.basic() not in world.said("registry.gitlab.example")


def test_gitlab_takes_the_first_push_to_a_repository_that_it_denies_to_have(
    world: World, here: Miniature, door: LastScope
) -> None:
    """Reading there is refused until something was pushed."""

    def strict(heard: Heard) -> Say | None:
        if heard.method in {"GET", "HEAD"} and not world.heard("registry.gitlab.example", "PUT"):
            return Say(401, {"WWW-Authenticate": door.challenge(heard, "")})
        return door(heard)

    registry = world.registry("registry.gitlab.example", door=strict)
    user = Credential("alice", "glpat-personal")
    world.copy("here.example/team/app", "registry.gitlab.example/group/new", None, user)
    assert registry.holds("group/new", world.image)


def test_gitlab_gives_a_token_for_the_last_scope_alone_and_the_blobs_are_sent(
    world: World, door: LastScope
) -> None:
    registry = world.registry("registry.gitlab.example", "group/app", door=door)
    user = Credential("alice", "glpat-personal")
    host = "registry.gitlab.example"
    world.copy(f"{host}/group/app", f"{host}/group/copy", user, user)
    assert registry.holds("group/copy", world.image)
    assert len(world.blobs_sent(host)) == len(world.image.blobs)
