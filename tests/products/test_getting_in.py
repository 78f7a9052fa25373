"""Registries that do not say how to get in where they are asked, or say it in another way."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from regimport import AccessDenied, Credential, NotFound, TagExists
from regimport.engine.target import Status
from support.images import many_platforms
from support.miniature import BasicDoor, Miniature, TokenDoor, basic, complaint, repository_of
from support.scripted import Heard, Say
from support.world import World

_USER = Credential("alice", "s3cret-s3cret")
_USERS = {_USER.username: _USER.password}
_HERE, _THERE = "here.example/team/app:latest", "there.example/team/app:latest"


def hiding(door: Callable[[Heard], Say | None], status: int) -> Callable[[Heard], Say | None]:
    """A door that says how to get in at /v2/ alone, and refuses all else without a challenge."""

    def answer(heard: Heard) -> Say | None:
        refused = door(heard)
        if refused is None or not repository_of(heard) or refused.status != 401:
            return refused
        return complaint(status, "DENIED")

    return answer


def doors() -> list[Callable[[Heard], Say | None]]:
    return [BasicDoor(_USERS), TokenDoor(_USERS)]


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("door", doors(), ids=["basic", "token"])
def test_credentials_at_hand_are_offered_to_a_source_that_hides_what_it_has(
    world: World, here: Miniature, status: int, door: Callable[[Heard], Say | None]
) -> None:
    world.registry("there.example", "team/app", door=hiding(door, status))
    world.copy(_THERE, "here.example/copy", _USER)
    assert here.holds("copy", world.image)
    asked = [heard.path for heard in world.heard("there.example")]
    assert asked.count("/v2/") == 1


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("door", doors(), ids=["basic", "token"])
def test_credentials_at_hand_are_offered_to_a_target_that_hides_what_it_has(
    world: World, here: Miniature, status: int, door: Callable[[Heard], Say | None]
) -> None:
    there = world.registry("there.example", door=hiding(door, status))
    world.copy(_HERE, _THERE, None, _USER)
    assert there.holds("team/app", world.image)
    assert [heard.path for heard in world.heard("there.example")].count("/v2/") == 1


def test_a_tag_that_only_users_see_is_not_overwritten_with_no_clobber(
    world: World, here: Miniature
) -> None:
    there = world.registry("there.example", door=hiding(BasicDoor(_USERS), 404))
    there.hold("team/app", many_platforms())
    with pytest.raises(TagExists):
        world.copy(_HERE, _THERE, None, _USER, no_clobber=True)


def test_credentials_are_offered_to_a_target_that_everybody_reads_and_whose_post_is_403(
    world: World, here: Miniature
) -> None:
    door = BasicDoor(_USERS)

    def writers(heard: Heard) -> Say | None:
        if heard.path == "/v2/" or heard.authorization is not None:
            return door(heard)
        return None if heard.method in {"GET", "HEAD"} else complaint(403, "DENIED")

    there = world.registry("there.example", door=writers)
    there.hold("team/app", many_platforms())
    world.copy(_HERE, _THERE, None, _USER)
    assert there.holds("team/app", world.image)


def test_without_credentials_nothing_more_is_asked(world: World, here: Miniature) -> None:
    world.registry("there.example")
    world.copy(_HERE, _THERE)
    assert "/v2/" not in [heard.path for heard in world.heard("there.example")]


def test_a_registry_that_asks_for_nothing_is_told_nothing(world: World, here: Miniature) -> None:
    world.registry("there.example")
    with pytest.raises(NotFound):
        world.copy(_THERE, "here.example/copy", _USER)
    assert world.said("there.example") == {None}
    assert [heard.path for heard in world.heard("there.example")].count("/v2/") == 1


@pytest.mark.parametrize("door", doors(), ids=["basic", "token"])
def test_a_challenge_of_a_403_is_answered_as_that_of_a_401(
    world: World, here: Miniature, door: Callable[[Heard], Say | None]
) -> None:
    def forbidding(heard: Heard) -> Say | None:
        refused = door(heard)
        return refused and Say(403 if refused.status == 401 else refused.status, refused.headers)

    def with_tokens(heard: Heard) -> Say | None:
        return door(heard) if heard.path.startswith("/token") else forbidding(heard)

    there = world.registry("there.example", "team/app", door=with_tokens)
    world.copy(_THERE, "here.example/copy", _USER)
    assert here.holds("copy", world.image)
    world.copy("here.example/team/app", "there.example/new", None, _USER)
    assert there.holds("new", world.image)


def test_a_403_after_a_password_says_nothing_against_the_password(
    world: World, here: Miniature
) -> None:
    door = BasicDoor(_USERS)

    def answer(heard: Heard) -> Say | None:
        if heard.authorization is None:
            return door(heard)
        return complaint(403, "DENIED", WWW_Authenticate='Basic realm="x"')

    world.registry("there.example", "team/app", door=answer)
    with pytest.raises(AccessDenied, match="403 Forbidden"):
        world.copy(_THERE, "here.example/copy", _USER)


def alias(door: TokenDoor, status: int = 401) -> Callable[[Heard], Say | None]:
    """A registry that calls each repository `tenant/…`, and gives tokens for that name."""

    def answer(heard: Heard) -> Say | None:
        if urlsplit(heard.path).path == door.path:
            return door.give(heard)
        repository = repository_of(heard)
        actions = "pull" if heard.method in {"GET", "HEAD"} else "pull,push"
        scope = f"repository:tenant/{repository}:{actions}"
        token = (heard.authorization or "").removeprefix("Bearer ")
        if any(granted.startswith(scope) for granted in door.tokens.get(token, ())):
            return None
        challenge = door.challenge(heard, scope)
        return complaint(status, "UNAUTHORIZED", WWW_Authenticate=challenge)

    return answer


@pytest.mark.parametrize("status", [401, 403])
def test_the_scope_of_the_challenge_is_asked_for_where_the_first_token_is_refused(
    world: World, here: Miniature, status: int
) -> None:
    door = TokenDoor(_USERS)
    there = world.registry("there.example", "team/app", door=alias(door, status))
    world.copy(_THERE, "here.example/copy", _USER)
    assert here.holds("copy", world.image)
    scopes = [query["scope"] for query in door.asked]
    assert scopes == [["repository:team/app:pull"], ["repository:tenant/team/app:pull"]]
    world.copy("here.example/team/app", "there.example/new", None, _USER)
    assert there.holds("new", world.image)


def test_the_scope_of_the_challenge_is_asked_for_where_the_service_refuses_another(
    world: World, here: Miniature
) -> None:
    class Strict(TokenDoor):
        def give(self, heard: Heard) -> Say:
            scopes = parse_qs(urlsplit(heard.path).query).get("scope", [])
            if not all(scope.startswith("repository:tenant/") for scope in scopes):
                return complaint(403, "DENIED", "unknown repository")
            return super().give(heard)

    world.registry("there.example", "team/app", door=alias(Strict(_USERS)))
    world.copy(_THERE, "here.example/copy", _USER)
    assert here.holds("copy", world.image)


def test_a_token_that_is_refused_for_the_scope_that_was_named_is_not_asked_for_for_ever(
    world: World, here: Miniature
) -> None:
    door = TokenDoor(_USERS)

    def never(heard: Heard) -> Say | None:
        if urlsplit(heard.path).path == door.path:
            return door.give(heard)
        challenge = door.challenge(heard, "repository:tenant/team/app:pull")
        return complaint(401, "UNAUTHORIZED", WWW_Authenticate=challenge)

    world.registry("there.example", "team/app", door=never)
    with pytest.raises(AccessDenied):
        world.copy(_THERE, "here.example/copy", _USER)
    assert len(door.asked) <= 3


@pytest.mark.parametrize(
    "missing", [Say(404), Say(405), Say(410), Say(503), Say(200, body=b"<html>")]
)
def test_basic_is_answered_where_the_token_service_beside_it_does_not_exist(
    world: World, here: Miniature, missing: Say
) -> None:
    door = BasicDoor(_USERS)

    def both(heard: Heard) -> Say | None:
        if urlsplit(heard.path).path == "/token":
            return missing
        door.challenge = (
            f'Bearer realm="http://{heard.headers["Host"]}/token",service="s",'
            'scope="repository:x:pull",Basic realm="registry"'
        )
        return door(heard)

    there = world.registry("there.example", "team/app", door=both)
    world.copy(_THERE, "here.example/copy", _USER)
    assert here.holds("copy", world.image)
    world.copy("here.example/team/app", "there.example/new", None, _USER)
    assert there.holds("new", world.image)
    (target,) = world.copy("here.example/team/app", "there.example/new", None, _USER).targets
    assert target.status is Status.PRESENT


def test_the_password_is_refused_as_itself_where_the_token_service_does_not_exist(
    world: World, here: Miniature
) -> None:
    challenge = 'Bearer realm="/token",service="s",Basic realm="registry"'
    door = BasicDoor({}, challenge)
    world.registry(
        "there.example",
        "team/app",
        door=lambda heard: Say(404) if heard.path.startswith("/token") else door(heard),
    )
    with pytest.raises(AccessDenied):
        world.copy(_THERE, "here.example/copy", _USER)
    tried = [h for h in world.heard("there.example") if h.authorization is not None]
    tried = [heard for heard in tried if not heard.path.startswith("/token")]
    assert {heard.authorization for heard in tried} == {basic("alice", "s3cret-s3cret")}
    assert len(tried) <= 2


@pytest.mark.parametrize("status", [404, 405, 410])
@pytest.mark.parametrize("credential", [None, _USER])
def test_a_token_service_that_does_not_exist_is_named(
    world: World, here: Miniature, status: int, credential: Credential | None
) -> None:
    challenge = 'Bearer realm="/token",service="s"'
    door = BasicDoor({}, challenge)
    world.registry(
        "there.example",
        "team/app",
        door=lambda heard: Say(status) if heard.path.startswith("/token") else door(heard),
    )
    with pytest.raises(
        AccessDenied,
        match=rf"the token service at http://there\.example:\d+/token.* answered {status}",
    ):
        world.copy(_THERE, "here.example/copy", credential)
