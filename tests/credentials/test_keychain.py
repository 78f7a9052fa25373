import json
import time
from pathlib import Path

import pytest

from regimport.credentials.keychain import Keychain
from regimport.errors import InvalidConfig, InvalidOptions, Side
from regimport.models.credential import Credential

_GIVEN = Credential("given", "1")
_SOURCE_ENVIRONMENT = {"REGIMPORT_SOURCE_USERNAME": "env", "REGIMPORT_SOURCE_PASSWORD": "2"}
_FROM_ENVIRONMENT = Credential("env", "2")
_FROM_FILE = Credential("file", "3")
_FILE: dict[str, dict[str, object]] = {
    "auths": {"r.example": {"username": "file", "password": "3"}}
}


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
    ("set_name", "missing", "says"),
    [("USERNAME", "PASSWORD", "PASSWORD is not set"), ("PASSWORD", "USERNAME", "no user name")],
)
def test_half_a_credential_in_the_environment_is_an_error(
    side: Side, set_name: str, missing: str, says: str
) -> None:
    prefix = f"REGIMPORT_{side.upper()}_"
    with pytest.raises(InvalidOptions, match=says) as caught:
        Keychain({}, _silent, {f"{prefix}{set_name}": "hunter2", f"{prefix}{missing}": ""}).check(
            side, "r.example"
        )
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.hint


@pytest.mark.parametrize("registry", ["my.azurecr.io", "my.azurecr.cn", "MY.azurecr.us:443"])
def test_a_password_alone_is_an_access_token_for_azure(registry: str) -> None:
    """As `az acr import --password` takes one."""
    keychain = Keychain({Side.SOURCE: Credential(password="t")}, _silent, {})
    keychain.check(Side.SOURCE, registry)
    found = keychain.find(Side.SOURCE, registry, "a")
    assert found == Credential("00000000-0000-0000-0000-000000000000", "t", entra_token="t")


@pytest.mark.parametrize(
    "registry",
    [
        "r.example",
        "azurecr.io",
        "my.azurecr.io.attacker.example",
        "my.azurecr.io:5000",
        "my-azurecr.io",
        "my.azurecr.com",
        "docker.io",
    ],
)
def test_a_password_alone_goes_to_no_registry_but_azures(registry: str) -> None:
    keychain = Keychain({Side.TARGET: Credential(password="hunter2")}, _silent, {})
    keychain.check(Side.SOURCE, registry)
    with pytest.raises(InvalidOptions, match="but no user name") as caught:
        keychain.check(Side.TARGET, registry)
    assert "hunter2" not in caught.value.message
    with pytest.raises(InvalidOptions):
        keychain.find(Side.TARGET, registry, "a")


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


_SCRIPT = """#!/bin/sh
read -r address
echo "$1 $address" >> "$HELPER_LOG"
case $address in
r.example) echo '{"Username": "helped", "Secret": "'$(wc -l < "$HELPER_LOG")'"}' ;;
broken.example) echo "the keyring is locked"; exit 3 ;;
*) echo "credentials not found in native keychain"; exit 1 ;;
esac
"""


@pytest.fixture
def helped(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has a helper named `own`, which counts its calls."""
    helper = tmp_path / "docker-credential-own"
    helper.write_text(_SCRIPT)
    helper.chmod(0o700)
    log = tmp_path / "helper.log"
    log.touch()
    path = f"{tmp_path}:/usr/bin:/bin"
    return {"DOCKER_CONFIG": str(tmp_path), "PATH": path, "HELPER_LOG": str(log)}


def _calls(environ: dict[str, str]) -> list[str]:
    return Path(environ["HELPER_LOG"]).read_text().splitlines()


def test_a_helper_is_asked_once_for_a_registry(helped: dict[str, str], tmp_path: Path) -> None:
    _write(tmp_path, {**_FILE, "credHelpers": {"r.example": "own"}})
    keychain = Keychain({}, _silent, helped)
    for repository in ("a", "b", "a"):
        assert keychain.find(Side.SOURCE, "r.example", repository) == Credential("helped", "1")
    assert _calls(helped) == ["get r.example"]


def test_a_helper_is_asked_again_when_what_it_gave_is_refused(
    helped: dict[str, str], tmp_path: Path
) -> None:
    _write(tmp_path, {"credsStore": "own"})
    keychain = Keychain({}, _silent, helped)
    first = keychain.find(Side.SOURCE, "r.example", "a")
    assert first == Credential("helped", "1")
    second = keychain.renew(Side.SOURCE, "r.example", "a", first)
    assert second == Credential("helped", "2")
    assert keychain.find(Side.SOURCE, "r.example", "a") == second
    assert keychain.renew(Side.SOURCE, "r.example", "a", first) == second, "asked by another thread"
    assert len(_calls(helped)) == 2


def test_a_helper_is_not_asked_for_ever_but_again_in_a_long_run(
    helped: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path, {"credsStore": "own"})
    keychain = Keychain({}, _silent, helped)
    refused = keychain.find(Side.SOURCE, "r.example", "a")
    for _ in range(4):
        assert refused is not None
        refused = keychain.renew(Side.SOURCE, "r.example", "a", refused)
    assert refused == Credential("helped", "2")
    later = time.monotonic() + 3600
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert keychain.renew(Side.SOURCE, "r.example", "a", refused) == Credential("helped", "3")


def test_what_a_file_or_an_option_gave_stays_when_it_is_refused(docker: dict[str, str]) -> None:
    keychain = Keychain({Side.SOURCE: _GIVEN}, _silent, docker)
    for _ in range(2):
        assert keychain.renew(Side.SOURCE, "r.example", "a", _GIVEN) == _GIVEN
        assert keychain.renew(Side.TARGET, "r.example", "a", _FROM_FILE) == _FROM_FILE


def test_a_helper_that_fails_gives_no_credential_and_never_that_of_another(
    helped: dict[str, str], tmp_path: Path
) -> None:
    """CVE-2021-41092: a helper that was missing sent the private registry's password to the Hub."""
    helpers = {"r.example": "missing", "broken.example": "own", "x.example": "own"}
    auths = {**_FILE["auths"], "broken.example": {"username": "no", "password": "no"}}
    _write(tmp_path, {"auths": auths, "credHelpers": helpers, "credsStore": "own"})
    warnings: list[str] = []
    keychain = Keychain({}, warnings.append, helped)
    for registry in ("r.example", "broken.example"):
        assert keychain.find(Side.TARGET, registry, "a") is None
        assert keychain.find(Side.TARGET, registry, "b") is None
    missing, broken = warnings
    assert "docker-credential-missing is not in the PATH" in missing
    assert "the keyring is locked" in broken
    assert keychain.remark(Side.TARGET, "r.example", "a") == missing
    assert keychain.remark(Side.TARGET, "x.example", "a") is None


def test_a_store_for_all_hosts_counts_before_the_entries_of_its_file(
    helped: dict[str, str], tmp_path: Path
) -> None:
    other = {"other.example": {"username": "file", "password": "3"}}
    _write(tmp_path, {"auths": _FILE["auths"] | other, "credsStore": "own"})
    keychain = Keychain({}, _silent, helped)
    assert keychain.find(Side.SOURCE, "r.example", "a") == Credential("helped", "1")
    assert keychain.find(Side.SOURCE, "other.example", "a") == _FROM_FILE
    assert keychain.find(Side.SOURCE, "docker.io", "a") is None
    assert _calls(helped)[-1] == "get https://index.docker.io/v1/"


def test_a_store_that_is_broken_leaves_the_entries_of_its_file_in_force(tmp_path: Path) -> None:
    _write(tmp_path, {**_FILE, "credsStore": "desktop"})
    warnings: list[str] = []
    keychain = Keychain({}, warnings.append, {"DOCKER_CONFIG": str(tmp_path)})
    assert keychain.find(Side.SOURCE, "r.example", "a") == _FROM_FILE
    assert keychain.find(Side.SOURCE, "other.example", "a") is None
    assert [" other.example" in warning for warning in warnings] == [False, True]
    assert all("'desktop'" in warning for warning in warnings)
    assert "other.example" in str(keychain.remark(Side.SOURCE, "other.example", "a"))


def test_the_file_that_was_named_comes_before_those_of_docker_and_podman(
    docker: dict[str, str], tmp_path: Path
) -> None:
    named = tmp_path / "auth.json"
    named.write_text(json.dumps({"auths": {"r.example/team": {"username": "n", "password": "4"}}}))
    named.chmod(0o600)
    by_option = Keychain({}, _silent, docker, str(named))
    by_environment = Keychain({}, _silent, docker | {"REGISTRY_AUTH_FILE": str(named)})
    for keychain in (by_option, by_environment):
        assert keychain.find(Side.SOURCE, "r.example", "team/app") == Credential("n", "4")
        assert keychain.find(Side.SOURCE, "r.example", "teams/app") == _FROM_FILE


@pytest.mark.parametrize("by_option", [True, False])
def test_a_file_that_was_named_must_be_there(
    docker: dict[str, str], tmp_path: Path, by_option: bool
) -> None:
    path = str(tmp_path / "none.json")
    environ = docker if by_option else docker | {"REGISTRY_AUTH_FILE": path}
    keychain = Keychain({}, _silent, environ, path if by_option else None)
    with pytest.raises(InvalidConfig, match="which does not exist"):
        keychain.find(Side.SOURCE, "r.example", "a")
    with pytest.raises(InvalidConfig, match="which does not exist"):
        keychain.check(Side.SOURCE, "r.example")


@pytest.mark.parametrize("variable", ["XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"])
def test_the_file_of_podman_is_read_after_that_of_docker(
    docker: dict[str, str], tmp_path: Path, variable: str
) -> None:
    folder = tmp_path / "xdg" / "containers"
    folder.mkdir(parents=True)
    auths = {name: {"username": "podman", "password": "5"} for name in ("r.example", "p.example")}
    (folder / "auth.json").write_text(json.dumps({"auths": auths}))
    (folder / "auth.json").chmod(0o600)
    keychain = Keychain({}, _silent, docker | {variable: str(tmp_path / "xdg")})
    assert keychain.find(Side.SOURCE, "r.example", "a") == _FROM_FILE
    assert keychain.find(Side.SOURCE, "p.example", "a") == Credential("podman", "5")


def test_an_explanation_names_each_place_and_what_counts(
    docker: dict[str, str], tmp_path: Path
) -> None:
    environ = docker | _SOURCE_ENVIRONMENT | {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
    keychain = Keychain({}, _silent, environ)
    source = keychain.explain(Side.SOURCE, "r.example", "a")
    assert source.used is not None
    assert source.used.place == "$REGIMPORT_SOURCE_USERNAME"
    assert [one.outcome for one in source.looked] == ["nothing", "used", *["not asked"] * 3]
    target = keychain.explain(Side.TARGET, "r.example", "a")
    assert target.used is not None
    assert target.used.detail == "entry 'r.example'"
    assert [one.outcome for one in target.looked] == [
        "nothing",
        "nothing",
        "used",
        *["not asked"] * 2,
    ]
    nobody = keychain.explain(Side.TARGET, "x.example", "a")
    assert (nobody.used, nobody.error) == (None, None)
    assert "password=" not in repr(target)


def test_an_explanation_tells_of_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("}{")
    found = Keychain({}, _silent, {"DOCKER_CONFIG": str(tmp_path)}).explain(
        Side.SOURCE, "r.example", "a"
    )
    assert isinstance(found.error, InvalidConfig)
    assert "not valid JSON" in found.looked[2].detail
    assert found.looked[-1].outcome == "not asked"


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
