import json
from pathlib import Path

import pytest

from regimport.credentials.keychain import Keychain
from regimport.errors import InvalidConfig, InvalidOptions, Side
from regimport.models.credential import Credential

_GIVEN = Credential("given", "1")
_SOURCE_ENVIRONMENT = {"REGIMPORT_SOURCE_USERNAME": "env", "REGIMPORT_SOURCE_PASSWORD": "2"}
_FROM_ENVIRONMENT = Credential("env", "2")
_FROM_FILE = Credential("file", "3")
_FILE = {"auths": {"r.example": {"username": "file", "password": "3"}}}


@pytest.fixture
def docker(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has a config.json."""
    _write(tmp_path, _FILE)
    return {"DOCKER_CONFIG": str(tmp_path)}


def _write(folder: Path, config: object, mode: int = 0o600) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    path.chmod(mode)


def _silent(message: str) -> None:
    raise AssertionError(message)


def test_the_given_credential_comes_before_the_environment_and_the_file(
    docker: dict[str, str],
) -> None:
    keychain = Keychain({Side.SOURCE: _GIVEN}, _silent, docker | _SOURCE_ENVIRONMENT)
    assert keychain.find(Side.SOURCE, "r.example", "a") == _GIVEN


def test_the_environment_comes_before_the_file(docker: dict[str, str]) -> None:
    keychain = Keychain({}, _silent, docker | _SOURCE_ENVIRONMENT)
    assert keychain.find(Side.SOURCE, "r.example", "a") == _FROM_ENVIRONMENT


def test_the_file_comes_before_nothing(docker: dict[str, str]) -> None:
    keychain = Keychain({Side.SOURCE: None}, _silent, docker)
    assert keychain.find(Side.SOURCE, "r.example", "a") == _FROM_FILE
    assert keychain.find(Side.TARGET, "r.example", "a") == _FROM_FILE
    assert keychain.find(Side.SOURCE, "other.example", "a") is None


def test_the_credentials_of_one_side_are_not_for_the_other(docker: dict[str, str]) -> None:
    environ = docker | {"REGIMPORT_TARGET_USERNAME": "t", "REGIMPORT_TARGET_PASSWORD": "4"}
    keychain = Keychain({Side.SOURCE: _GIVEN}, _silent, environ)
    assert keychain.find(Side.TARGET, "r.example", "a") == Credential("t", "4")
    keychain = Keychain({Side.SOURCE: _GIVEN}, _silent, docker | _SOURCE_ENVIRONMENT)
    assert keychain.find(Side.TARGET, "r.example", "a") == _FROM_FILE


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("set_name", "missing"), [("USERNAME", "PASSWORD"), ("PASSWORD", "USERNAME")]
)
def test_half_a_credential_in_the_environment_is_an_error(
    side: Side, set_name: str, missing: str
) -> None:
    prefix = f"REGIMPORT_{side.upper()}_"
    with pytest.raises(InvalidOptions, match=f"{prefix}{missing} is not set") as caught:
        Keychain({}, _silent, {f"{prefix}{set_name}": "hunter2", f"{prefix}{missing}": ""})
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.hint


def test_the_environment_is_not_read_where_a_credential_is_given() -> None:
    Keychain({Side.SOURCE: _GIVEN}, _silent, {"REGIMPORT_SOURCE_USERNAME": "alone"})


def test_a_user_without_a_home_is_anonymous() -> None:
    assert Keychain({}, _silent, {}).find(Side.SOURCE, "r.example", "a") is None


def test_a_broken_file_is_an_error_only_where_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("}{")
    environ = {"DOCKER_CONFIG": str(tmp_path)}
    keychain = Keychain({Side.SOURCE: _GIVEN}, _silent, environ)
    assert keychain.find(Side.SOURCE, "r.example", "a") == _GIVEN
    with pytest.raises(InvalidConfig):
        keychain.find(Side.TARGET, "r.example", "a")


def test_a_helper_for_the_host_gives_no_credential_and_never_that_of_another(
    tmp_path: Path,
) -> None:
    """CVE-2021-41092: a helper that was missing sent the private registry's password to the Hub."""
    _write(tmp_path, {**_FILE, "credHelpers": {"r.example": "own", "x.example": "x"}})
    warnings: list[str] = []
    keychain = Keychain({}, warnings.append, {"DOCKER_CONFIG": str(tmp_path)})
    assert keychain.find(Side.TARGET, "r.example", "a") is None
    assert keychain.find(Side.TARGET, "r.example", "b") is None
    (warning,) = warnings
    assert "'own'" in warning
    assert "--target-username" in warning


def test_a_store_for_all_hosts_leaves_the_entries_of_the_file_in_force(tmp_path: Path) -> None:
    _write(tmp_path, {**_FILE, "credsStore": "desktop"})
    warnings: list[str] = []
    keychain = Keychain({}, warnings.append, {"DOCKER_CONFIG": str(tmp_path)})
    assert keychain.find(Side.SOURCE, "r.example", "a") == _FROM_FILE
    assert not warnings
    assert keychain.find(Side.SOURCE, "other.example", "a") is None
    (warning,) = warnings
    assert "other.example" in warning
    assert "'desktop'" in warning


def test_a_file_that_others_may_read_is_warned_about_once_when_it_is_used(tmp_path: Path) -> None:
    _write(tmp_path, _FILE, 0o644)
    warnings: list[str] = []
    keychain = Keychain({}, warnings.append, {"DOCKER_CONFIG": str(tmp_path)})
    assert keychain.find(Side.SOURCE, "other.example", "a") is None
    assert not warnings
    for _ in range(2):
        assert keychain.find(Side.SOURCE, "r.example", "a") == _FROM_FILE
    (warning,) = warnings
    assert "chmod 600" in warning
