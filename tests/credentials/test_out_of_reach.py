"""Credentials in files that cannot be reached, in odd encodings, and in a variable."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from regimport.credentials.dockerconfig import DockerConfig, load
from regimport.credentials.keychain import Keychain
from regimport.credentials.places import Outcome
from regimport.errors import InvalidConfig, Side
from regimport.models.credential import Credential

_HOST = "r.example"
_PAIR = Credential("alice", "wonder:land")


def _silent(message: str) -> None:
    pass


def auth(username: str = "alice", password: str = "wonder:land") -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def config(**entries: str) -> str:
    return json.dumps({"auths": {host: {"auth": text} for host, text in entries.items()}})


def unreachable(tmp_path: Path, how: str) -> Path:
    """A folder that no file can be read from, as the user root, too."""
    folder = tmp_path / how
    if how == "a loop":
        folder.symlink_to(folder)
    elif how == "a file":
        folder.write_text("")
    elif how == "a folder in its place":
        (folder / "config.json").mkdir(parents=True)
        (folder / ".docker" / "config.json").mkdir(parents=True)
        (folder / "containers" / "auth.json").mkdir(parents=True)
    else:
        return Path("/dev/null")
    return folder


HOW = ["a loop", "a file", "a folder in its place", "/dev/null"]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("variable", ["HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"])
def test_a_place_that_nobody_named_is_skipped_with_a_remark(
    tmp_path: Path, how: str, variable: str
) -> None:
    told: list[str] = []
    folder = str(unreachable(tmp_path, how))
    environ = {"HOME": str(tmp_path / "empty"), "XDG_RUNTIME_DIR": str(tmp_path), variable: folder}
    keychain = Keychain({}, told.append, environ)
    for _ in range(2):
        assert keychain.find(Side.SOURCE, _HOST, "app") is None
    assert told
    assert all(f"{folder}/" in message for message in told)
    assert len(set(told)) == len(told)
    assert str(keychain.remark(Side.SOURCE, _HOST, "app")) == "; ".join(told)


def test_a_place_that_cannot_be_reached_does_not_hide_the_next(tmp_path: Path) -> None:
    home = unreachable(tmp_path, "a loop")
    (tmp_path / "containers").mkdir()
    (tmp_path / "containers" / "auth.json").write_text(config(**{_HOST: auth()}))
    keychain = Keychain({}, _silent, {"HOME": str(home), "XDG_RUNTIME_DIR": str(tmp_path)})
    assert keychain.find(Side.SOURCE, _HOST, "app") == _PAIR
    looked = keychain.explain(Side.SOURCE, _HOST, "app").looked
    assert Outcome.FAILED in {found.outcome for found in looked}


@pytest.mark.parametrize("how", HOW)
def test_a_place_that_the_user_named_is_an_error(tmp_path: Path, how: str) -> None:
    folder = unreachable(tmp_path, how)
    keychain = Keychain({}, _silent, {"HOME": str(tmp_path), "DOCKER_CONFIG": str(folder)})
    with pytest.raises(InvalidConfig, match="cannot be read"):
        keychain.check(Side.SOURCE, _HOST)
    with pytest.raises(InvalidConfig, match="cannot be read"):
        keychain.find(Side.SOURCE, _HOST, "app")
    named = str(folder / "config.json")
    for environ, authfile in (({"REGISTRY_AUTH_FILE": named}, None), ({}, named)):
        keychain = Keychain({}, _silent, {"HOME": str(tmp_path), **environ}, authfile)
        with pytest.raises(InvalidConfig, match="cannot be read"):
            keychain.check(Side.SOURCE, _HOST)


def test_a_folder_that_the_user_named_may_be_empty(tmp_path: Path) -> None:
    keychain = Keychain({}, _silent, {"DOCKER_CONFIG": str(tmp_path)})
    keychain.check(Side.SOURCE, _HOST)
    assert keychain.find(Side.SOURCE, _HOST, "app") is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "", "  \r\n \n"])
def test_a_file_is_read_with_a_byte_order_mark_and_any_ends_of_lines(
    tmp_path: Path, encoding: str, end: str
) -> None:
    path = tmp_path / "config.json"
    text = json.dumps(json.loads(config(**{_HOST: auth()})), indent=1).replace("\n", end or "\n")
    path.write_bytes((text + end).encode(encoding))
    found = load(path)
    assert found is not None
    entry = found.entry(_HOST, "app")
    assert entry is not None
    assert entry.credential == _PAIR


@pytest.mark.parametrize("end", ["\n", "\r\n", " ", "\t"])
def test_an_entry_that_was_wrapped_at_76_columns_is_read(end: str) -> None:
    whole = auth(password="x" * 200)
    wrapped = end.join(whole[at : at + 76] for at in range(0, len(whole), 76)) + end
    entry = DockerConfig.parse(config(**{_HOST: wrapped}), "here").entry(_HOST, "app")
    assert entry is not None
    assert entry.credential == Credential("alice", "x" * 200)


@pytest.fixture
def docker(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "config.json").write_text(
        config(**{_HOST: auth(password="file"), "o.example": auth()})
    )
    return {"DOCKER_CONFIG": str(tmp_path)}


def test_the_variable_comes_before_the_file_for_the_registries_that_it_names(
    docker: dict[str, str],
) -> None:
    environ = docker | {"DOCKER_AUTH_CONFIG": "\ufeff" + config(**{_HOST: auth()})}
    keychain = Keychain({}, _silent, environ)
    assert keychain.find(Side.SOURCE, _HOST, "app") == _PAIR
    assert keychain.find(Side.TARGET, _HOST, "app") == _PAIR
    assert keychain.find(Side.SOURCE, "o.example", "app") == _PAIR
    assert keychain.find(Side.SOURCE, f"{_HOST}.attacker.example", "app") is None


def test_the_variable_comes_after_the_file_that_is_named(
    docker: dict[str, str], tmp_path: Path
) -> None:
    environ = docker | {"DOCKER_AUTH_CONFIG": config(**{_HOST: auth()})}
    keychain = Keychain({}, _silent, environ, str(tmp_path / "config.json"))
    assert keychain.find(Side.SOURCE, _HOST, "app") == Credential("alice", "file")


def test_an_explanation_names_the_variable(docker: dict[str, str]) -> None:
    environ = docker | {"DOCKER_AUTH_CONFIG": config(**{_HOST: auth()})}
    used = Keychain({}, _silent, environ).explain(Side.SOURCE, _HOST, "app").used
    assert used is not None
    assert (used.place, used.detail) == ("$DOCKER_AUTH_CONFIG", f"entry '{_HOST}'")


@pytest.mark.parametrize("content", ["{s3cret", "[]", '"s3cret"'])
def test_a_variable_that_is_not_valid_is_an_error_that_shows_nothing_of_it(content: str) -> None:
    keychain = Keychain({}, _silent, {"DOCKER_AUTH_CONFIG": content})
    with pytest.raises(InvalidConfig, match=r"\$DOCKER_AUTH_CONFIG") as caught:
        keychain.check(Side.SOURCE, _HOST)
    assert "s3cret" not in f"{caught.value!r}{caught.value}{caught.value.hint}"


@pytest.mark.parametrize("content", ["", "  \n"])
def test_an_empty_variable_is_none(docker: dict[str, str], content: str) -> None:
    keychain = Keychain({}, _silent, docker | {"DOCKER_AUTH_CONFIG": content})
    keychain.check(Side.SOURCE, _HOST)
    assert keychain.find(Side.SOURCE, _HOST, "app") == Credential("alice", "file")


def test_the_helpers_that_a_variable_names_are_run(tmp_path: Path) -> None:
    helper = tmp_path / "docker-credential-mine"
    answer = json.dumps({"Username": "alice", "Secret": "wonder:land"})
    helper.write_text(f"#!/bin/sh\necho '{answer}'\n")
    helper.chmod(0o755)
    content = json.dumps({"credHelpers": {_HOST: "mine"}})
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    keychain = Keychain({}, _silent, {"DOCKER_AUTH_CONFIG": content, "PATH": path})
    assert keychain.find(Side.SOURCE, _HOST, "app") == _PAIR
