"""A credential that cannot be sent is an error that names its place, and never shows it."""

import base64
import json
import os
from pathlib import Path

import pytest

from regimport.accounts import login
from regimport.credentials.keychain import Keychain
from regimport.errors import InvalidConfig, InvalidOptions, Side, UsageError
from regimport.models.credential import Credential

_PAIR = base64.b64encode(b"us\ner:hunter2").decode()


def _silent(message: str) -> None:
    raise AssertionError(message)


def _shown(error: UsageError) -> str:
    return f"{error!r} {error.hint} {error.__cause__!r} {error.__context__!r}"


@pytest.mark.parametrize(
    ("credential", "flaw"),
    [
        (Credential("us\ner", "hunter2"), "the user name contains a line break"),
        (Credential("user", "hunter2\udcff"), "the password contains bytes"),
        (Credential(registry_token="hunter2\n"), "the bearer token .* contains a line break"),
        (Credential(identity_token="hunter2\u0142"), "the identity token .* not ASCII"),
        (Credential("", "hunter2\n"), "Microsoft Entra contains a line break"),
    ],
)
def test_a_given_one_names_the_option(credential: Credential, flaw: str) -> None:
    keychain = Keychain({Side.TARGET: credential}, _silent, {})
    with pytest.raises(
        InvalidOptions, match=f"from --target-username cannot be used: .*{flaw}"
    ) as e:
        keychain.find(Side.TARGET, "my.azurecr.io", "app")
    assert "hunter2" not in _shown(e.value)


@pytest.mark.parametrize(
    ("username", "password"), [("us\ner", "hunter2"), ("user", "hunter2\udcff"), ("", "hunter2\n")]
)
def test_one_of_the_environment_names_the_variable(username: str, password: str) -> None:
    environ = {"REGIMPORT_SOURCE_USERNAME": username, "REGIMPORT_SOURCE_PASSWORD": password}
    keychain = Keychain({}, _silent, environ)
    with pytest.raises(InvalidOptions, match=r"from \$REGIMPORT_SOURCE_USERNAME cannot") as caught:
        keychain.check(Side.SOURCE, "my.azurecr.io")
    assert "hunter2" not in _shown(caught.value)


@pytest.mark.parametrize(
    ("entry", "flaw"),
    [
        ({"auth": _PAIR}, "the user name contains a line break"),
        ({"username": "user", "password": "hunter2\udcff"}, "the password contains bytes"),
        ({"registrytoken": "hunter2\nX-Evil: 1"}, "the bearer token .* contains a line break"),
        ({"registrytoken": "hunter2\u0142"}, "the bearer token .* not ASCII"),
        ({"identitytoken": "hunter2\r"}, "the identity token contains a line break"),
    ],
)
def test_one_of_a_file_names_the_file_and_the_entry(
    entry: dict[str, str], flaw: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": {"r.example": entry}}))
    path.chmod(0o600)
    keychain = Keychain({}, _silent, {"DOCKER_CONFIG": str(tmp_path)})
    with pytest.raises(InvalidConfig, match=f"'r.example' in {path} cannot be used: {flaw}") as e:
        keychain.find(Side.SOURCE, "r.example", "app")
    assert "hunter2" not in _shown(e.value)


@pytest.mark.parametrize(
    ("username", "flaw"),
    [("us\ner", "the user name contains a line break"), ("<token>", "the identity token contains")],
)
def test_one_of_a_helper_names_the_helper(username: str, flaw: str, tmp_path: Path) -> None:
    answer = json.dumps({"Username": username, "Secret": "hunter2\n"})
    (tmp_path / "answer").write_text(answer)
    helper = tmp_path / "docker-credential-test"
    helper.write_text(f"#!/bin/sh\ncat {tmp_path}/answer\n")
    helper.chmod(0o700)
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "test"}))
    warnings: list[str] = []
    environ = {"DOCKER_CONFIG": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    keychain = Keychain({}, warnings.append, environ)
    assert keychain.find(Side.SOURCE, "r.example", "app") is None
    (warning,) = warnings
    assert "docker-credential-test returned a credential that cannot be used" in warning
    assert flaw in warning
    assert "hunter2" not in warning


def test_a_login_with_one_asks_no_registry() -> None:
    with pytest.raises(InvalidOptions, match="the password contains bytes") as caught:
        login("r.example:1", Credential("user", "hunter2\udcff"))
    assert "hunter2" not in _shown(caught.value)
