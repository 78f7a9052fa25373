"""Azure's login gives a token of Microsoft Entra for the registry's own cloud."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import AzureCliCredential, CredentialUnavailableError

from regimport.clouds import azure
from regimport.clouds.login import NoLogin
from regimport.credentials.clouds import Clouds
from regimport.models.credential import Credential


class Chain:
    """What azure-identity's default chain is to us."""

    asked: list[tuple[str, str]] = []  # noqa: RUF012 - cleared by each test
    error: Exception | None = None

    def __init__(self, authority: str) -> None:
        self.authority = authority

    def get_token(self, scope: str) -> SimpleNamespace:
        self.asked.append((self.authority, scope))
        if self.error is not None:
            raise self.error
        return SimpleNamespace(token="entra", expires_on=time.time() + 3600)


@pytest.fixture(autouse=True)
def chain(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Chain]]:
    monkeypatch.setattr(azure, "DefaultAzureCredential", Chain)
    Chain.asked.clear()
    Chain.error = None
    azure._chain.cache_clear()
    yield Chain
    azure._chain.cache_clear()


@pytest.mark.parametrize(
    ("registry", "authority", "audience"),
    [
        ("my.azurecr.io", "login.microsoftonline.com", "containerregistry.azure.net"),
        ("my.azurecr.cn", "login.chinacloudapi.cn", "management.chinacloudapi.cn"),
        ("MY.azurecr.us:443", "login.microsoftonline.us", "management.usgovcloudapi.net"),
    ],
)
def test_each_cloud_has_its_own_login(registry: str, authority: str, audience: str) -> None:
    found = azure.get_credential(registry)
    assert found.credential == Credential(entra_token="entra")
    assert 3500 < found.seconds <= 3600
    assert Chain.asked == [(authority, f"https://{audience}/.default")]


@pytest.mark.parametrize("error", [CredentialUnavailableError, ClientAuthenticationError])
def test_nobody_being_logged_in_is_told_in_a_line(error: type[Exception]) -> None:
    Chain.error = error("nobody is logged in\nand here are forty lines\x1b[31m")
    with pytest.raises(NoLogin) as caught:
        azure.get_credential("my.azurecr.io")
    assert str(caught.value) == "nobody is logged in"


def test_the_library_says_nothing_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("azure.identity").warning("DefaultAzureCredential failed")
    assert capsys.readouterr().err == ""


def test_the_azure_cli_is_not_given_the_passwords_of_registries(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = json.dumps({"accessToken": "entra", "expires_on": int(time.time()) + 3600})
    program = tmp_path / "az"
    program.write_text(f"#!/bin/sh\nenv >> {tmp_path}/given\necho '{token}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("AZURE_CONFIG_DIR", "kept")
    own = ("REGIMPORT_SOURCE_PASSWORD", "REGIMPORT_TARGET_PASSWORD", "DOCKER_AUTH_CONFIG")
    for name in own:
        monkeypatch.setenv(name, f"secret of {name}")
    monkeypatch.setattr(azure, "DefaultAzureCredential", lambda **_: AzureCliCredential())
    (found,) = Clouds().look("my.azurecr.io", "app", fresh=False)
    assert found.credential == Credential(entra_token="entra")
    given = (tmp_path / "given").read_text()
    assert "AZURE_CONFIG_DIR=kept" in given
    assert not [name for name in own if name in given]
    assert [os.environ[name] for name in own] == [f"secret of {name}" for name in own]
