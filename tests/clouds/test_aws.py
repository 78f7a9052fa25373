"""AWS's login gives passwords for ECR, and makes repositories there."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from regimport.clouds import aws
from regimport.clouds.login import NoLogin
from regimport.errors import AccessDenied
from support.miniature import as_json
from support.scripted import Heard, Say, Scripted

_REGISTRY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that is nobody's, and no way to a real one."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")


@pytest.fixture
def cloud() -> Iterator[None]:
    with mock_aws():
        yield


def test_a_private_registry_gives_a_password_for_its_account(cloud: None) -> None:
    found = aws.get_credential(_REGISTRY)
    assert found.credential.username == "AWS"
    assert found.credential.password == "123456789012-auth-token"


def test_a_repository_is_made_once_in_the_region_of_the_registry(cloud: None) -> None:
    assert aws.create_repository(_REGISTRY, "team/app") is True
    assert aws.create_repository(_REGISTRY, "team/app") is False
    client = boto3.client("ecr", region_name="eu-central-1")
    (made,) = client.describe_repositories()["repositories"]
    assert made["repositoryName"] == "team/app"
    other = boto3.client("ecr", region_name="us-east-1")
    assert other.describe_repositories()["repositories"] == []


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    """The API of ECR Public, which moto does not have, on loopback."""

    def answer(heard: Heard) -> Say:
        if heard.headers["X-Amz-Target"].endswith("GetAuthorizationToken"):
            token = base64.b64encode(b"AWS:public").decode()
            expires = dt.datetime.now(dt.UTC).timestamp() + 43200
            data = {"authorizationToken": token, "expiresAt": expires}
            return as_json({"authorizationData": data})
        return as_json({"repository": {}})

    with Scripted(answer) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR_PUBLIC", f"http://{server.address}")
        yield server


def test_the_public_registry_gives_a_password_from_its_one_region(public: Scripted) -> None:
    found = aws.get_credential("public.ecr.aws")
    assert (found.credential.username, found.credential.password) == ("AWS", "public")
    assert 43000 < found.seconds <= 43200
    (heard,) = public.heard
    assert "/us-east-1/ecr-public/" in str(heard.authorization)


def test_a_public_repository_is_made_without_the_alias_of_its_registry(public: Scripted) -> None:
    assert aws.create_repository("public.ecr.aws", "alias/team/app") is True
    (heard,) = public.heard
    assert json.loads(heard.body) == {"repositoryName": "team/app"}


def test_a_fips_registry_is_asked_by_its_fips_endpoint() -> None:
    fips = aws._client("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com")
    assert "fips" in fips.meta.endpoint_url
    assert "fips" not in aws._client(_REGISTRY).meta.endpoint_url


def test_nobody_being_logged_in_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(NoLogin, match="Unable to locate credentials"):
        aws.get_credential(_REGISTRY)
    with pytest.raises(AccessDenied, match="Unable to locate credentials") as caught:
        aws.create_repository(_REGISTRY, "app")
    assert caught.value.registry == _REGISTRY


def test_a_refusal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = {"__type": "AccessDeniedException", "message": "not you"}
    with Scripted(lambda _: as_json(refusal, 400)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", f"http://{server.address}")
        with pytest.raises(NoLogin, match="not you"):
            aws.get_credential(_REGISTRY)
        with pytest.raises(AccessDenied, match="not you"):
            aws.create_repository(_REGISTRY, "app")
