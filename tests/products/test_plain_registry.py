"""The distribution registry behind htpasswd, and who is told what when both sides are one host."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from regimport import AccessDenied, Credential
from support.client import Client
from support.images import many_platforms, single
from support.miniature import BasicDoor, Door, Miniature, TokenDoor, basic, repository_of
from support.program import Program
from support.registries import USER, DockerRegistry
from support.scripted import Heard, Say
from support.tokenserver import TokenServer
from support.world import World


@pytest.mark.docker_registry
def test_a_plain_registry_with_htpasswd_takes_a_login_and_then_copies(
    program: Program, tls_process: DockerRegistry, ca_file: Path, repository: str
) -> None:
    """The real one, over TLS."""
    environment = {"SSL_CERT_FILE": str(ca_file)}
    address = tls_process.address
    options = ("-u", USER[0], "--password-stdin", address)
    ended = program("login", *options, stdin="wrong", **environment)
    assert ended.code == 4, ended
    ended = program("login", *options, stdin=USER[1], **environment)
    assert ended.code == 0, ended
    image = single()
    Client(address, ca=ca_file, user=USER).push(repository, image, "1")
    ends = (f"{address}/{repository}:1", f"{address}/{repository}-copy")
    ended = program("copy", *ends, **environment)
    assert ended.code == 0, ended
    assert program("logout", address, **environment).code == 0
    assert program("copy", *ends, **environment).code == 4


@pytest.mark.docker_registry
def test_a_plain_registry_with_a_token_service_takes_an_identity_token_from_a_helper(
    program: Program,
    tokens: tuple[DockerRegistry, TokenServer],
    tmp_path: Path,
    repository: str,
    logged_in: Callable[[object], Path],
) -> None:
    """The real one; and nothing of it is told at the highest verbosity."""
    registry, server = tokens
    server.behaviour.refresh_tokens["r3fresh-s3cret"] = "alice"
    helper = tmp_path / "docker-credential-own"
    helper.write_text("""#!/bin/sh\necho '{"Username": "<token>", "Secret": "r3fresh-s3cret"}'\n""")
    helper.chmod(0o700)
    logged_in({"credHelpers": {registry.address: "own"}})
    image = single()
    Client(registry.address, user=USER).push(repository, image, "1")
    server.requests.clear()
    ends = (f"{registry.address}/{repository}:1", f"{registry.address}/{repository}-copy")
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    ended = program("copy", "-vv", *ends, PATH=path)
    assert ended.code == 0, ended
    assert {request.method for request in server.requests} == {"POST"}
    assert "r3fresh-s3cret" not in ended.out + ended.err


class Departments:
    """A registry where each repository has a user of its own."""

    def __init__(self, **users: str) -> None:
        self._doors = {name: BasicDoor({name: word}) for name, word in users.items()}

    def __call__(self, heard: Heard) -> Say | None:
        owner = repository_of(heard).partition("/")[0]
        return self._doors[owner](heard)


def test_a_plain_registry_knows_two_users_one_a_side(world: World) -> None:
    registry = world.registry("r.example", "dev/app", door=Departments(dev="1", prod="2"))
    dev, prod = Credential("dev", "1"), Credential("prod", "2")
    world.copy("r.example/dev/app", "r.example/prod/app", dev, prod)
    assert registry.holds("prod/app", world.image)
    for heard in world.heard("r.example"):
        owner = repository_of(heard).partition("/")[0]
        assert heard.authorization in {None, basic(owner, {"dev": "1", "prod": "2"}[owner])}


def test_a_plain_registry_knows_two_users_from_the_environment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = world.registry("r.example", "dev/app", door=Departments(dev="1", prod="2"))
    for side, name, word in (("SOURCE", "dev", "1"), ("TARGET", "prod", "2")):
        monkeypatch.setenv(f"REGIMPORT_{side}_USERNAME", name)
        monkeypatch.setenv(f"REGIMPORT_{side}_PASSWORD", word)
    world.copy("r.example/dev/app", "r.example/prod/app")
    assert registry.holds("prod/app", world.image)


def test_a_plain_registry_knows_two_users_by_the_entries_of_one_file(
    world: World, tmp_path: Path
) -> None:
    registry = world.registry("r.example", "dev/app", door=Departments(dev="1", prod="2"))
    path = tmp_path / "auth.json"
    path.write_text(
        '{"auths": {"r.example/dev": {"username": "dev", "password": "1"},'
        ' "r.example/prod": {"username": "prod", "password": "2"}}}'
    )
    path.chmod(0o600)
    world.copy("r.example/dev/app", "r.example/prod/app", authfile=os.fspath(path))
    assert registry.holds("prod/app", world.image)


def test_what_is_given_for_one_side_is_never_told_to_the_other(
    world: World, here: Miniature
) -> None:
    registry = world.registry("r.example", "app", door=BasicDoor({"alice": "secret"}))
    with pytest.raises(AccessDenied):
        world.copy("here.example/team/app", "r.example/app", Credential("alice", "secret"))
    assert world.said("r.example") == {None}
    with pytest.raises(AccessDenied):
        world.copy("r.example/app", "here.example/copy", None, Credential("alice", "secret"))
    assert world.said("r.example") == {None}
    assert registry.holds("app", world.image)


def test_a_registry_that_only_redirects_to_another_is_read_there_as_nobody(
    world: World, here: Miniature
) -> None:
    """As registry.k8s.io does, whose images are kept in several clouds."""
    cloud = world.registry("cloud.example", "k8s/app")

    def elsewhere(heard: Heard) -> Say:
        return Say(307, {"Location": f"http://cloud.example{heard.path}"})

    world.serve("k8s.example", elsewhere)
    world.copy("k8s.example/k8s/app", "here.example/copy", Credential("alice", "secret"))
    assert here.holds("copy", world.image)
    assert cloud.holds("k8s/app", world.image)
    assert world.said("cloud.example") | world.said("k8s.example") == {None}


@pytest.mark.parametrize("door", [BasicDoor({"alice": "secret"}), TokenDoor({"alice": "secret"})])
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_wrong_password_is_tried_twice_at_most_however_much_there_is_to_copy(
    world: World, door: Door, side: str
) -> None:
    """Or an account is locked."""
    world.image = many_platforms(platforms=20)
    world.registry("here.example", "app")
    world.registry("r.example", "app", door=door)
    wrong = Credential("alice", "hunter2")
    hosts = ("r.example", "here.example")
    first, second = hosts if side == "source" else reversed(hosts)
    given = {f"{side}_credential": wrong}
    with pytest.raises(AccessDenied):
        world.copy(f"{first}/app", f"{second}/copy", jobs=16, **given)
    assert 1 <= len([heard for heard in world.heard("r.example") if heard.authorization]) <= 2
