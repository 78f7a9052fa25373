"""Nexus and Artifactory: what they let anybody read, and how they ask for more."""

from __future__ import annotations

import pytest

from regimport import AccessDenied, Credential
from support.miniature import BasicDoor, Miniature, TokenDoor
from support.scripted import Heard, Say
from support.world import World

_USER = Credential("alice", "secret")
_USERS = {"alice": "secret"}


def test_nexus_lets_anybody_read_and_gets_the_password_once_it_asks(
    world: World, here: Miniature
) -> None:
    """Anonymous access is on, and a write is answered with a Basic challenge."""
    basic = BasicDoor(_USERS, 'Basic realm="Sonatype Nexus Repository Manager"')

    def door(heard: Heard) -> Say | None:
        return None if heard.method in {"GET", "HEAD"} else basic(heard)

    nexus = world.registry("nexus.example:8082", door=door)
    world.copy("here.example/team/app", "nexus.example:8082/app", None, _USER)
    assert nexus.holds("app", world.image)
    first = world.heard("nexus.example:8082")[0]
    assert (first.method, first.authorization) == ("HEAD", None)


def test_nexus_gives_a_token_to_nobody_in_particular(world: World, here: Miniature) -> None:
    """Its Docker Bearer Token Realm."""
    door = TokenDoor(_USERS, path="/v2/token", service="http://nexus.example/v2/token")
    door.anonymous = True
    world.registry("nexus.example", "app", door=door)
    world.copy("nexus.example/app", "here.example/copy")
    assert here.holds("copy", world.image)


def test_nexus_refuses_a_wrong_password_and_is_not_asked_until_the_account_is_locked(
    world: World, here: Miniature
) -> None:
    world.registry("nexus.example", door=BasicDoor(_USERS))
    wrong = Credential("alice", "hunter2")
    with pytest.raises(AccessDenied):
        world.copy("here.example/team/app", "nexus.example/app", None, wrong)
    tried = [heard for heard in world.heard("nexus.example") if heard.authorization is not None]
    assert 1 <= len(tried) <= 2


@pytest.mark.parametrize("order", [("Bearer", "Basic"), ("Basic", "Bearer")])
def test_artifactory_offers_two_ways_and_the_token_is_taken(
    world: World, here: Miniature, order: tuple[str, str]
) -> None:
    tokens = TokenDoor(_USERS, path="/artifactory/api/docker/docker/v2/token")
    ways = {"Basic": 'Basic realm="Artifactory Realm"'}

    def door(heard: Heard) -> Say | None:
        answer = tokens(heard)
        if answer is None or answer.status != 401:
            return answer
        ways["Bearer"] = tokens.challenge(heard, "")
        return Say(401, {"WWW-Authenticate": ", ".join(ways[way] for way in order)}, answer.body)

    world.registry("artifactory.example", "docker/app", door=door)
    world.copy("artifactory.example/docker/app", "here.example/copy", _USER)
    assert here.holds("copy", world.image)
    assert tokens.asked


def test_artifactory_takes_an_identity_token_as_the_password(world: World, here: Miniature) -> None:
    door = BasicDoor({"alice@example.com": "cmVmdGtuOjAx:x"}, 'Basic realm="Artifactory Realm"')
    world.registry("artifactory.example", "docker/app", door=door)
    user = Credential("alice@example.com", "cmVmdGtuOjAx:x")
    world.copy("artifactory.example/docker/app", "here.example/copy", user)
    assert here.holds("copy", world.image)


def test_artifactory_refuses_a_token_by_chance_and_the_next_one_is_good(
    world: World, here: Miniature
) -> None:
    tokens = TokenDoor(_USERS, path="/artifactory/api/docker/docker/v2/token")

    def door(heard: Heard) -> Say | None:
        if len(tokens.asked) == 1 and heard.method == "GET" and "/blobs/" in heard.path:
            tokens.tokens.clear()
        return tokens(heard)

    world.registry("artifactory.example", "docker/app", door=door)
    world.copy("artifactory.example/docker/app", "here.example/copy", _USER)
    assert here.holds("copy", world.image)
    assert len(tokens.asked) == 2
