import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regimport.credentials.dockerconfig import DockerConfig, config_path, containers_paths, load
from regimport.credentials.keychain import Keychain
from regimport.errors import InvalidConfig, Side
from regimport.models.credential import Credential

_CASES = json.loads((Path(__file__).parents[1] / "data" / "dockerconfig.json").read_text())
_TOO_LARGE = "<1 MiB + 1 of spaces>"
_DESCRIPTIONS = [case["desc"] for case in _CASES]
_BROKEN = "credsStore names a helper that does not exist"


def _auth(username: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def _parse(config: dict[str, Any]) -> DockerConfig:
    return DockerConfig.parse(json.dumps(config), "config.json")


def _found(config: DockerConfig, registry: str, repository: str = "a/b") -> Credential | None:
    entry = config.entry(registry, repository)
    return None if entry is None else entry.credential


def _as_json(credential: Credential | None) -> object:
    if credential is None:
        return "anonymous"
    if credential.identity_token:
        return {"identitytoken": credential.identity_token}
    if credential.registry_token:
        return {"registrytoken": credential.registry_token}
    if credential.username == "helper":
        return {"helper": credential.password}
    return {"username": credential.username, "password": credential.password}


@pytest.fixture
def found_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Look a case's repository up through the file, as the program does."""
    for cloud in ("azure", "google"):
        monkeypatch.setitem(sys.modules, f"regimport.clouds.{cloud}", None)

    def find(case: dict[str, Any]) -> tuple[object, list[str]]:
        config = case["config"].replace(_TOO_LARGE, " " * (1024 * 1024 + 1))
        file = tmp_path / "config.json"
        file.write_text(config)
        file.chmod(0o600)
        helper = tmp_path / "docker-credential-a"
        answer = case.get("helper_stdout", '{"Username": "helper", "Secret": "a"}')
        helper.write_text(f"#!/bin/sh\necho '{answer}'\n")
        helper.chmod(0o700)
        warnings: list[str] = []
        environ = {"DOCKER_CONFIG": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}
        keychain = Keychain({}, warnings.append, environ)
        try:
            found = keychain.find(Side.SOURCE, case["registry"], case["repository"])
        except InvalidConfig as error:
            assert str(tmp_path) in error.message  # noqa: PT017 - what the error shows is the point
            return "error", warnings
        return _as_json(found), warnings

    return find


@pytest.mark.parametrize("case", _CASES, ids=_DESCRIPTIONS)
def test_a_config_gives_what_its_vector_says(case: dict[str, Any], found_in: Any) -> None:
    found, warnings = found_in(case)
    if case["desc"].startswith(_BROKEN):
        assert found == "anonymous"
        assert "cannot be the name of a credential helper" in warnings[0]
    else:
        assert (found, warnings) == (case["expect"], [])


_LABEL = st.from_regex(r"[a-z0-9]{1,4}", fullmatch=True)
_HOST = st.lists(_LABEL, min_size=2, max_size=4).map(".".join)


@given(_HOST, _HOST, st.sampled_from(["", "https://", "http://"]), st.sampled_from(["", "/v2/"]))
def test_no_host_gets_the_entry_of_another(one: str, other: str, scheme: str, path: str) -> None:
    config = _parse({"auths": {f"{scheme}{one}{path}": _auth("u", "p")}})
    assert _found(config, one) == Credential("u", "p")
    for stranger in (other, f"{one}.{other}", f"{other}.{one}", f"x{one}", f"{one}x", f"{one}:1"):
        if stranger != one:
            assert _found(config, stranger, "a/b") is None


@pytest.mark.parametrize(
    "key", ["docker.io", "https://index.docker.io/v1/", "registry-1.docker.io"]
)
def test_the_names_of_docker_hub_are_one(key: str) -> None:
    config = _parse({"auths": {key: _auth("u", "p")}})
    for registry in ("docker.io", "index.docker.io", "registry-1.docker.io"):
        assert _found(config, registry, "library/alpine") == Credential("u", "p")
    assert _found(config, "auth.docker.io", "library/alpine") is None


@pytest.mark.parametrize("own", ["https://index.docker.io/v1/", "docker.io"])
def test_of_several_spellings_that_which_a_login_writes_counts(own: str) -> None:
    old = {name: _auth("old", "p") for name in ("index.docker.io", "registry-1.docker.io/v2/")}
    for auths in ({**old, own: _auth("u", "p")}, {own: _auth("u", "p"), **old}):
        assert _found(_parse({"auths": auths}), "docker.io") == Credential("u", "p")


def test_the_longest_prefix_of_whole_path_components_wins() -> None:
    config = _parse(
        {
            "auths": {
                "r.example": _auth("host", "1"),
                "r.example/a": _auth("a", "2"),
                "r.example/a/b": _auth("ab", "3"),
            }
        }
    )
    wanted = {"a/b": "ab", "a/b/c": "ab", "a": "a", "a/bb": "a", "aa": "host", "b/a": "host"}
    for repository, username in wanted.items():
        found = _found(config, "r.example", repository)
        assert found is not None
        assert found.username == username


@pytest.mark.parametrize(
    "empty", [{}, {"auth": ""}, {"email": "u@x.example"}, {"username": "u"}, None, "text", []]
)
def test_an_empty_entry_is_none_and_hides_no_other(empty: object) -> None:
    auths = {"r.example/a": empty, "https://r.example/v1/": empty, "r.example": _auth("u", "p")}
    assert _found(_parse({"auths": auths}), "r.example", "a/b") == Credential("u", "p")
    assert _found(_parse({"auths": {"r.example": empty}}), "r.example", "a") is None


@pytest.mark.parametrize(
    ("entry", "credential"),
    [
        ({"username": "u", "password": "p"}, Credential("u", "p")),
        ({"auth": "", "username": "u", "password": "p"}, Credential("u", "p")),
        (_auth("u", "pä:ß"), Credential("u", "pä:ß")),
        (_auth("", "token"), Credential("", "token")),
        ({**_auth("u", ""), "identitytoken": "T"}, Credential(identity_token="T")),
        ({**_auth("u", "p"), "registrytoken": "T"}, Credential(registry_token="T")),
        ({"password": "p"}, None),
        ({"auth": 1, "username": ["u"], "password": {}}, None),
    ],
)
def test_each_form_of_an_entry_is_read(
    entry: dict[str, object], credential: Credential | None
) -> None:
    assert _found(_parse({"auths": {"r.example": entry}}), "r.example", "a") == credential


@pytest.mark.parametrize(
    "text",
    [
        '{"auths": {"r.example": {"auth": "c2VjcmV0"',
        '["secret"]',
        '"secret"',
        "secret",
        "[" * 100_000,
        '{"auths": {"r.example": {"auth": "secret not base64"}}}',
        '{"auths": {"r.example": {"auth": "c2VjcmV0"}}}',
        '{"auths": {"r.example": {"auth": "c2VjcmV0/w=="}}}',
        '{"auths": {"r.example": {"auth": "secrét"}}}',
    ],
)
def test_a_config_that_cannot_be_read_is_named_and_not_shown(text: str) -> None:
    with pytest.raises(InvalidConfig, match=r"where\.json") as caught:
        DockerConfig.parse(text, "where.json").entry("r.example", "a")
    error = caught.value
    assert "secr" not in error.message + str(error.hint)
    assert "c2Vj" not in error.message + str(error.hint)
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


def test_a_config_shows_no_secret_in_its_repr() -> None:
    config = _parse({"auths": {"r.example": {"auth": "c2VjcmV0", "password": "hunter2"}}})
    assert "c2VjcmV0" not in repr(config)
    assert "hunter2" not in repr(config)


@pytest.mark.parametrize(
    "text", ["", " \n", "{}", '{"auths": [], "credHelpers": 1, "credsStore": {}}']
)
def test_a_config_without_credentials_gives_none(text: str) -> None:
    config = DockerConfig.parse(text, "config.json")
    assert _found(config, "r.example", "a") is None
    assert config.helper("r.example") is None
    assert config.store is None


def test_a_helper_is_only_for_its_own_host() -> None:
    config = _parse({"credHelpers": {"https://R.example/": "own", "docker.io": "hub"}})
    assert config.helper("r.example") == "own"
    assert config.helper("index.docker.io") == "hub"
    assert config.helper("x.r.example") is None
    assert config.helper("r.example:5000") is None


@pytest.mark.parametrize("name", ["../../evil", "a;id", "a b", "a\n", "$(id)", "ä"])
def test_a_helper_with_a_dangerous_name_is_refused_for_its_own_host_alone(name: str) -> None:
    config = _parse({"credHelpers": {"r.example": name}})
    assert config.helper("other.example") is None
    with pytest.raises(InvalidConfig):
        config.helper("r.example")


def test_the_file_is_where_docker_keeps_it() -> None:
    assert config_path({"DOCKER_CONFIG": "/d", "HOME": "/h"}) == Path("/d/config.json")
    assert config_path({"DOCKER_CONFIG": "", "HOME": "/h"}) == Path("/h/.docker/config.json")
    assert config_path({}) is None


def test_the_files_are_where_podman_keeps_them() -> None:
    whole = {"XDG_RUNTIME_DIR": "/run/user/7", "XDG_CONFIG_HOME": "/c", "HOME": "/h"}
    names = [str(path) for path in containers_paths(whole)]
    assert names == ["/run/user/7/containers/auth.json", "/c/containers/auth.json"]
    names = [str(path) for path in containers_paths({"HOME": "/h"})]
    own = f"/run/containers/{os.getuid()}/auth.json"
    assert names == [own, "/h/.config/containers/auth.json"]
    assert [str(path) for path in containers_paths({})] == [own]


def test_a_file_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    assert load(tmp_path / "config.json") is None


@pytest.mark.parametrize(
    "content", [b"\xff\xfe secret", b" " * (1024 * 1024 + 1), b"\xc3" * 1024**2]
)
def test_a_file_that_is_no_text_or_too_large_is_named_and_not_shown(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(InvalidConfig) as caught:
        load(path)
    assert str(path) in caught.value.message
    assert "secret" not in caught.value.message


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("mode", "exposed"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)]
)
def test_a_file_that_others_may_read_is_exposed(mode: int, exposed: bool, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    path.chmod(mode)
    config = load(path)
    assert config is not None
    assert config.exposed is exposed
