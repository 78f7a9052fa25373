"""IBM Cloud Container Registry: an API key or a token of IAM as the password."""

from __future__ import annotations

import pytest

from regimport import Credential
from support.miniature import Miniature, TokenDoor
from support.world import World

_USERS = {"iamapikey": "api-key", "iambearer": "eyJ.iam.token"}


@pytest.mark.parametrize("username", sorted(_USERS))
@pytest.mark.parametrize("host", ["icr.io", "de.icr.io", "private.us.icr.io"])
def test_ibm_takes_an_api_key_and_a_token_of_iam_as_passwords(
    world: World, here: Miniature, username: str, host: str
) -> None:
    door = TokenDoor(_USERS, path="/oauth/token", service="registry")
    registry = world.registry(host, "namespace/app", door=door)
    user = Credential(username, _USERS[username])
    world.copy(f"{host}/namespace/app", "here.example/copy", user)
    assert here.holds("copy", world.image)
    world.copy("here.example/team/app", f"{host}/namespace/pushed", None, user)
    assert registry.holds("namespace/pushed", world.image)
    assert all(query["account"] == [username] for query in door.asked)
    assert {heard.authorization for heard in world.heard(host, "PUT")}.isdisjoint({user.basic()})


@pytest.mark.parametrize("username", sorted(_USERS))
def test_ibm_takes_the_same_from_the_environment(
    world: World, here: Miniature, username: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGIMPORT_SOURCE_USERNAME", username)
    monkeypatch.setenv("REGIMPORT_SOURCE_PASSWORD", _USERS[username])
    door = TokenDoor(_USERS, path="/oauth/token", service="registry")
    world.registry("icr.io", "namespace/app", door=door)
    world.copy("icr.io/namespace/app", "here.example/copy")
    assert here.holds("copy", world.image)
