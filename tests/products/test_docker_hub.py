"""Docker Hub: one login for three names, and a token service on another host."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from regimport import AccessDenied, CopyOptions, Credential, accounts
from support.miniature import Miniature, TokenDoor, basic
from support.scripted import Heard, Say
from support.world import World

_USER = Credential("alice", "dckr_pat_1")
_LOGIN = {"auths": {"https://index.docker.io/v1/": {"username": "alice", "password": "dckr_pat_1"}}}


@pytest.fixture
def door(world: World) -> TokenDoor:
    realm = "http://auth.docker.io/token"
    door = TokenDoor({"alice": "dckr_pat_1"}, realm, service="registry.docker.io")
    world.serve("auth.docker.io", door.give)
    return door


@pytest.mark.parametrize("name", ["docker.io/team/app", "index.docker.io/team/app", "team/app"])
def test_docker_hub_knows_one_login_under_all_its_names(
    world: World, here: Miniature, door: TokenDoor, logged_in: Callable[[object], None], name: str
) -> None:
    world.registry("registry-1.docker.io", "team/app", door=door)
    logged_in(_LOGIN)
    world.copy(f"{name}:latest", "here.example/copy")
    assert here.holds("copy", world.image)
    assert world.said("auth.docker.io") == {basic("alice", "dckr_pat_1")}


def test_docker_hub_s_login_is_kept_under_the_name_that_docker_has_for_it(
    world: World, door: TokenDoor
) -> None:
    world.registry("registry-1.docker.io", door=door)
    options = CopyOptions(plain_http=frozenset({"docker.io"}))
    kept = Path(accounts.login("index.docker.io", _USER, options=options))
    assert list(json.loads(kept.read_text())["auths"]) == ["https://index.docker.io/v1/"]
    assert accounts.logout("docker.io") is True
    with pytest.raises(AccessDenied):
        accounts.login("docker.io", Credential("alice", "wrong"), options=options)


def test_docker_hub_gets_the_password_at_its_token_service_alone(
    world: World, here: Miniature, door: TokenDoor
) -> None:
    world.registry("registry-1.docker.io", "team/app", door=door)
    world.copy("team/app", "here.example/copy", _USER)
    assert _USER.basic() not in world.said("registry-1.docker.io")
    assert world.said("here.example") == {None}


def test_docker_hub_serves_public_images_to_nobody_in_particular(
    world: World, here: Miniature, door: TokenDoor
) -> None:
    door.anonymous = True
    world.registry("registry-1.docker.io", "library/hello-world", door=door)
    world.copy("hello-world", "here.example/copy")
    assert here.holds("copy", world.image)
    assert {query["scope"][0] for query in door.asked} == {"repository:library/hello-world:pull"}


def test_docker_hub_gives_a_token_without_rights_for_what_is_private_or_not_there(
    world: World, here: Miniature, door: TokenDoor
) -> None:
    world.serve("auth.docker.io", lambda _: door.grant(()))
    world.registry("registry-1.docker.io", door=door)
    with pytest.raises(AccessDenied) as caught:
        world.copy("team/private", "here.example/copy")
    assert (caught.value.registry, caught.value.repository) == ("docker.io", "team/private")
    assert caught.value.hint


def test_docker_hub_needs_the_right_to_pull_where_a_blob_is_mounted_from(
    world: World, door: TokenDoor
) -> None:
    hub = world.registry("registry-1.docker.io", "team/app", door=door)
    world.copy("team/app", "docker.io/team/copy", _USER, _USER)
    assert hub.holds("team/copy", world.image)
    both = ["repository:team/copy:pull,push", "repository:team/app:pull"]
    assert both in [query["scope"] for query in door.asked]
    assert world.blobs_sent("registry-1.docker.io") == []


def test_docker_hub_ends_tokens_in_the_middle_and_no_blob_is_sent_twice(
    world: World, here: Miniature, door: TokenDoor
) -> None:
    """Its tokens last five minutes; here they last three requests without a body."""
    uses: Counter[str] = Counter()

    def impatient(heard: Heard) -> Say | None:
        token = (heard.authorization or "").removeprefix("Bearer ")
        uses[token] += heard.method != "PUT"
        if uses[token] > 3:
            door.tokens.pop(token, None)
        return door(heard)

    hub = world.registry("registry-1.docker.io", door=impatient)
    world.copy("here.example/team/app", "docker.io/team/app", None, _USER, jobs=1)
    assert hub.holds("team/app", world.image)
    sent = [digest.replace("%3A", ":") for digest in world.blobs_sent("registry-1.docker.io")]
    assert sorted(sent) == sorted(world.image.blobs)
    assert len(door.tokens) < len(door.asked), "a token ended"


def test_docker_hub_refuses_and_the_helper_that_failed_is_named(
    world: World, here: Miniature, door: TokenDoor, logged_in: Callable[[object], None]
) -> None:
    """The token that nobody in particular gets hides that credentials were to be had."""
    world.serve("auth.docker.io", lambda _: door.grant(()))
    world.registry("registry-1.docker.io", "team/app", door=door)
    logged_in({"credsStore": "absent"})
    with pytest.raises(AccessDenied, match="docker-credential-absent is not in the PATH"):
        world.copy("team/app", "here.example/copy")
    assert len(world.warnings) == 1
