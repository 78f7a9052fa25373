"""GitLab: deploy tokens and job tokens, a token service of the forge, and tokens for one scope."""

from __future__ import annotations

import pytest

from regimport import Credential
from support.miniature import Miniature, TokenDoor
from support.publishers import PUBLISHERS
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


def _alias(registry: Miniature) -> Miniature:
    """Have a registry take the tag `sha256-…` for the digest in it, as GitLab's does."""
    answer = registry.manifest

    def manifest(heard: Heard, repository: str, reference: str) -> Say:
        alias = reference.startswith("sha256-") and "." not in reference
        return answer(heard, repository, reference.replace("-", ":", 1) if alias else reference)

    vars(registry)["manifest"] = manifest
    return registry


@pytest.mark.parametrize("publisher", ["cosign with tags", "buildx"])
def test_gitlab_has_no_list_of_referrers_under_the_tag_that_means_the_image(
    world: World, publisher: str
) -> None:
    """Its children would be taken for referrers, and digest tags are found all the same."""
    published = PUBLISHERS[publisher]()
    world.image = published.image
    gitlab = _alias(world.registry("registry.gitlab.example", "group/app"))
    goal = world.registry("here.example")
    for extra in published.extras:
        gitlab.hold("group/app", extra.content, extra.tag or extra.content.root)
    report = world.copy(
        "registry.gitlab.example/group/app", "here.example/copy", referrers=("all",)
    )
    assert report.referrers is not None
    assert len(report.referrers.found) == len(published.extras)
    assert all(goal.holds("copy", extra.content, str(extra.tag)) for extra in published.extras)
    assert world.warnings == []


def test_gitlab_cannot_list_what_is_brought_there_which_is_said_and_nothing_overwritten(
    world: World,
) -> None:
    published = PUBLISHERS["Notation"]()
    world.image = published.image
    origin = world.registry("here.example", "team/app")
    origin.lists_referrers = True
    origin.hold("team/app", published.extras[0].content, published.extras[0].content.root)
    gitlab = _alias(world.registry("registry.gitlab.example"))
    report = world.copy(
        "here.example/team/app", "registry.gitlab.example/group/app", referrers=("all",)
    )
    assert report.exit_code == 0
    assert published.extras[0].content.root in gitlab.manifests["group/app"]
    assert gitlab.holds("group/app", published.image)
    assert not any(tag.startswith("sha256-") for tag in gitlab.manifests["group/app"])
    assert any("cannot list referrers" in warning for warning in world.warnings)
