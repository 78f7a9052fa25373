"""Amazon ECR: passwords that run out, repositories that must exist, and a public registry."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import boto3
import pytest
from moto import mock_aws

from regimport import AccessDenied, Credential, InvalidOptions, NotFound
from regimport.clouds import aws
from regimport.clouds.login import TemporaryCredential
from support.miniature import BasicDoor, Miniature, TokenDoor, basic, complaint
from support.scripted import Heard, Say
from support.world import World

_ACCOUNT = "123456789012"
_HOST = f"{_ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com"
_CHALLENGE = f'Basic realm="https://{_HOST}/",service="ecr.amazonaws.com"'
_PASSWORD = f"{_ACCOUNT}-auth-token"


@pytest.fixture(autouse=True)
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Somebody is logged in at a fake of AWS."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield


class Repositories(set[str]):
    """The repositories that were made in the cloud."""

    def __contains__(self, name: object) -> bool:
        client = boto3.client("ecr", region_name="eu-central-1")
        found = client.describe_repositories()["repositories"]
        return name in {repository["repositoryName"] for repository in found}


@pytest.fixture
def registry(world: World) -> Miniature:
    door = BasicDoor({"AWS": _PASSWORD}, _CHALLENGE)
    registry = world.registry(_HOST, "team/app", door=door)
    registry.must_exist = Repositories()
    return registry


def test_ecr_lets_in_who_is_logged_in_at_aws(
    world: World, here: Miniature, registry: Miniature
) -> None:
    world.copy(f"{_HOST}/team/app", "here.example/copy")
    assert here.holds("copy", world.image)
    assert world.said(_HOST) == {None, basic("AWS", _PASSWORD)}


def test_ecr_takes_what_docker_login_left(
    world: World, here: Miniature, registry: Miniature, logged_in: Callable[[object], None]
) -> None:
    """`aws ecr get-login-password | docker login --username AWS --password-stdin`."""
    logged_in({"auths": {_HOST: {"username": "AWS", "password": _PASSWORD}}})
    world.copy(f"{_HOST}/team/app", "here.example/copy")
    assert here.holds("copy", world.image)


def test_ecr_s_password_is_renewed_when_it_runs_out_in_a_long_run(
    world: World, here: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []

    def get_credential(_registry: str) -> TemporaryCredential:
        given.append(f"password-{len(given)}")
        return TemporaryCredential(Credential("AWS", given[-1]), 43200)

    refused = 0

    def door(heard: Heard) -> Say | None:
        nonlocal refused
        good = basic("AWS", given[-1]) if given else None
        first = len(world.blobs_sent(_HOST)) > 0 and len(given) == 1 and heard.method != "PUT"
        if heard.authorization == good and good is not None and not first:
            return None
        refused += 1
        return complaint(401, "DENIED", "expired", WWW_Authenticate=_CHALLENGE)

    monkeypatch.setattr(aws, "get_credential", get_credential)
    registry = world.registry(_HOST, door=door)
    world.copy("here.example/team/app", f"{_HOST}/team/app", jobs=1)
    assert registry.holds("team/app", world.image)
    assert len(given) == 2
    assert refused == 2
    assert len(world.blobs_sent(_HOST)) == len(world.image.blobs), "no blob was sent twice"


def test_ecr_wants_the_repository_to_exist_and_the_error_says_so(
    world: World, here: Miniature, registry: Miniature
) -> None:
    with pytest.raises(NotFound, match="NAME_UNKNOWN") as caught:
        world.copy("here.example/team/app", f"{_HOST}/team/new")
    assert "create the repository" in str(caught.value.hint)


def test_ecr_s_missing_repository_is_made_if_that_is_wanted(
    world: World, here: Miniature, registry: Miniature
) -> None:
    for _ in range(2):
        world.copy("here.example/team/app", f"{_HOST}/team/new", create_repository=True)
    assert registry.holds("team/new", world.image)


def test_ecr_s_missing_repository_is_not_made_for_a_dry_run(
    world: World, here: Miniature, registry: Miniature
) -> None:
    target = f"{_HOST}/team/new"
    world.copy("here.example/team/app", target, create_repository=True, dry_run=True)
    assert "team/new" not in Repositories()


def test_ecr_s_repository_cannot_be_made_without_the_extra_and_nothing_is_asked(
    world: World, here: Miniature, registry: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "regimport.clouds.aws", None)
    with pytest.raises(InvalidOptions) as caught:
        world.copy("here.example/team/app", f"{_HOST}/team/new", create_repository=True)
    assert "boto3>=1.28" in str(caught.value.hint)
    assert world.heard(_HOST) == []


def test_ecr_without_the_extra_says_which_one_would_help(
    world: World, here: Miniature, registry: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "regimport.clouds.aws", None)
    with pytest.raises(AccessDenied, match=r"pip install 'boto3>=1\.28'"):
        world.copy(f"{_HOST}/team/app", "here.example/copy")


def test_ecr_sends_blobs_from_s3_which_rejects_a_second_authorization(
    world: World, here: Miniature, registry: Miniature
) -> None:
    s3 = world.serve("bucket.s3.amazonaws.com", registry.stored)
    registry.storage = "http://bucket.s3.amazonaws.com"
    world.copy(f"{_HOST}/team/app", "here.example/copy")
    assert here.holds("copy", world.image)
    assert {heard.authorization for heard in s3.heard} == {None}


@pytest.mark.parametrize("known", [True, False])
def test_ecr_public_asks_for_the_scope_aws(
    world: World, here: Miniature, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """And lets anybody pull, more slowly."""
    public = TemporaryCredential(Credential("AWS", "public"), 43200)
    monkeypatch.setattr(aws, "get_credential", lambda _: public)
    if not known:
        monkeypatch.setitem(sys.modules, "regimport.clouds.aws", None)
    door = TokenDoor({"AWS": "public"}, path="/token/", scope="aws", anonymous=True)
    world.registry("public.ecr.aws", "alias/app", door=door)
    world.copy("public.ecr.aws/alias/app", "here.example/copy")
    assert here.holds("copy", world.image)
    assert door.asked[0]["scope"] == ["repository:alias/app:pull", "aws"]
    assert (basic("AWS", "public") in world.said("public.ecr.aws")) is known
