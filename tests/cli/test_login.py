"""Logging in and out: what is asked of the registry, and what is kept where."""

from __future__ import annotations

import base64
import json
import os
import pty
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.images import single
from support.miniature import BasicDoor, Door, Miniature, TokenDoor, everybody
from support.program import Ended, Program
from support.scripted import Scripted

_USERS = {"alice": "wonder:land"}
_AUTH = base64.b64encode(b"alice:wonder:land").decode()
_DOORS: dict[str, Door] = {"basic": BasicDoor(_USERS), "token": TokenDoor(_USERS)}
_HELPER = """#!/bin/sh
echo "$1 $(cat)" >> "$HELPER_LOG"
[ "$1" != list ] || echo "$HELPER_KNOWS"
exit ${HELPER_CODE:-0}
"""


@pytest.fixture(params=sorted(_DOORS))
def registry(request: pytest.FixtureRequest) -> Iterator[Scripted]:
    with Scripted(Miniature(_DOORS[request.param])) as server:
        yield server


@pytest.fixture
def config() -> Path:
    return Path(os.environ["HOME"]) / ".docker" / "config.json"


def _login(program: Program, address: str, *more: str, password: str = "wonder:land") -> Ended:
    options = ("-u", "alice", "--password-stdin")
    return program("login", *options, address, *more, stdin=f"{password}\n")


def test_a_login_is_checked_and_kept_for_the_copies_that_follow(
    program: Program, registry: Scripted, config: Path
) -> None:
    ended = _login(program, registry.address)
    assert ended.code == 0, ended
    assert ended.out == ""
    assert f"logged in to {registry.address} as 'alice'" in ended.err
    assert "wonder" not in ended.err
    assert json.loads(config.read_text()) == {"auths": {registry.address: {"auth": _AUTH}}}
    assert config.stat().st_mode & 0o777 == 0o600
    assert config.parent.stat().st_mode & 0o777 == 0o700
    miniature = registry.script
    assert isinstance(miniature, Miniature)
    miniature.hold("team/app", single())
    assert program("digest", f"{registry.address}/team/app").code == 0


def test_a_password_may_have_many_lines_as_google_s_keys_do(program: Program) -> None:
    key = json.dumps({"type": "service_account", "private_key": "-----BEGIN"}, indent=2)
    with Scripted(Miniature(BasicDoor({"_json_key": key}))) as registry:
        options = ("-u", "_json_key", "--password-stdin", registry.address)
        ended = program("login", *options, stdin=f"{key}\n")
        assert ended.code == 0, ended


def test_each_side_has_its_own_password_on_standard_input(program: Program) -> None:
    source, target = Miniature(BasicDoor({"s": "1"})), Miniature(BasicDoor({"t": "2\n3"}))
    source.hold("app", single())
    options = ["--source-username", "s", "--source-password-stdin"]
    options += ["--target-username", "t", "--target-password-stdin"]
    with Scripted(source) as one, Scripted(target) as other:
        ends = (f"{one.address}/app", f"{other.address}/app")
        ended = program("copy", *options, *ends, stdin="1\n2\n3\n")
        assert ended.code == 0, ended
    assert target.holds("app", single())


def test_a_wrong_password_is_refused_and_not_kept(
    program: Program, registry: Scripted, config: Path
) -> None:
    ended = _login(program, registry.address, password="hunter2")
    assert ended.code == 4, ended
    assert f"wrong user name or password for {registry.address} (user alice)" in ended.err
    assert registry.address in ended.err
    assert "hunter2" not in ended.err
    assert not config.exists()


def test_a_login_leaves_the_rest_of_the_file_as_it_was(
    program: Program, registry: Scripted, config: Path
) -> None:
    before = {
        "auths": {"x.example": {"auth": "eDp5"}, registry.address: {"auth": "b2xkOm9sZA=="}},
        "HttpHeaders": {"X-Ä": "ö"},
        "credHelpers": {"y.example": "own"},
    }
    config.parent.mkdir()
    config.write_text(json.dumps(before))
    assert _login(program, registry.address).code == 0
    after = json.loads(config.read_text())
    before["auths"] = {"x.example": {"auth": "eDp5"}, registry.address: {"auth": _AUTH}}
    assert after == before
    assert list(after) == list(before)
    assert [path.name for path in config.parent.iterdir()] == ["config.json"]


def test_a_link_in_the_place_of_the_file_stays_one(
    program: Program, registry: Scripted, config: Path, tmp_path: Path
) -> None:
    config.parent.mkdir()
    (tmp_path / "dotfile").write_text("{}")
    config.symlink_to(tmp_path / "dotfile")
    assert _login(program, registry.address).code == 0
    assert config.is_symlink()
    assert _AUTH in (tmp_path / "dotfile").read_text()


@pytest.mark.parametrize("by_option", [True, False])
def test_a_login_is_kept_in_the_file_that_is_named(
    program: Program, registry: Scripted, config: Path, tmp_path: Path, by_option: bool
) -> None:
    path = tmp_path / "auth.json"
    more = ("--authfile", str(path)) if by_option else ()
    environment = {} if by_option else {"REGISTRY_AUTH_FILE": str(path)}
    options = ("-u", "alice", "--password-stdin", registry.address)
    ended = program("login", *options, *more, stdin="wonder:land", **environment)
    assert ended.code == 0, ended
    assert registry.address in path.read_text()
    assert not config.exists()
    ended = program("logout", registry.address, *more, **environment)
    assert ended.code == 0, ended
    assert json.loads(path.read_text()) == {"auths": {}}


@pytest.fixture
def helped(config: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a user whose config.json names a helper for all registries."""
    helper = tmp_path / "docker-credential-own"
    helper.write_text(_HELPER)
    helper.chmod(0o700)
    config.parent.mkdir()
    config.write_text('{"credsStore": "own"}')
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HELPER_LOG": str(tmp_path / "helper.log")}


def test_a_helper_keeps_the_secret_if_one_is_named(
    program: Program, registry: Scripted, config: Path, helped: dict[str, str]
) -> None:
    options = ("-u", "alice", "--password-stdin", registry.address)
    ended = program("login", *options, stdin="wonder:land", **helped)
    assert ended.code == 0, ended
    assert "the credentials are in docker-credential-own" in ended.err
    document = {"credsStore": "own", "auths": {registry.address: {}}}
    assert json.loads(config.read_text()) == document
    stored = Path(helped["HELPER_LOG"]).read_text().removeprefix("store ")
    assert json.loads(stored) == {
        "ServerURL": registry.address,
        "Username": "alice",
        "Secret": "wonder:land",
    }
    assert program("logout", registry.address, **helped).code == 0
    assert Path(helped["HELPER_LOG"]).read_text().endswith(f"list \nerase {registry.address}\n")
    assert json.loads(config.read_text()) == {"credsStore": "own", "auths": {}}


def test_a_helper_forgets_every_spelling_of_a_registry(
    program: Program, helped: dict[str, str]
) -> None:
    knows = '{"https://r.example/v1/": "a", "r.example": "a", "x.r.example": "b"}'
    ended = program("logout", "r.example", HELPER_KNOWS=knows, **helped)
    assert (ended.code, ended.err) == (0, "logged out of r.example\n")
    done = Path(helped["HELPER_LOG"]).read_text().splitlines()
    assert done == ["list ", "erase https://r.example/v1/", "erase r.example"]


def test_a_helper_that_does_not_store_is_named(
    program: Program, registry: Scripted, config: Path, helped: dict[str, str]
) -> None:
    options = ("-u", "alice", "--password-stdin", registry.address)
    ended = program("login", *options, stdin="wonder:land", HELPER_CODE="3", **helped)
    assert ended.code == 1, ended
    assert "docker-credential-own failed with code 3" in ended.err
    assert "wonder" not in ended.err
    assert json.loads(config.read_text()) == {"credsStore": "own"}


def test_nothing_of_a_login_is_told_at_the_highest_verbosity(
    program: Program, registry: Scripted, config: Path
) -> None:
    ended = _login(program, registry.address, "-vv")
    assert ended.code == 0, ended
    assert "GET" in ended.err, "the requests are told at this verbosity"
    tokens = [heard.authorization or "none" for heard in registry.heard]
    secrets = {word.removeprefix("Bearer ").removeprefix("Basic ") for word in tokens}
    for secret in {"wonder", _AUTH, *secrets} - {"none"}:
        assert secret not in ended.err


def test_a_registry_that_asks_for_nothing_is_told_of(program: Program, config: Path) -> None:
    with Scripted(Miniature(everybody)) as registry:
        ended = _login(program, registry.address)
        assert all(heard.authorization is None for heard in registry.heard)
    assert ended.code == 0, ended
    assert "could not be checked" in ended.err
    assert config.exists()


def test_a_file_that_cannot_be_read_stays_as_it_is_and_no_registry_is_asked(
    program: Program, registry: Scripted, config: Path
) -> None:
    config.parent.mkdir()
    config.write_text("}{ secret")
    ended = _login(program, registry.address)
    assert ended.code == 2, ended
    assert "secret" not in ended.err
    assert config.read_text() == "}{ secret"
    assert registry.heard == []


def test_a_folder_that_cannot_be_written_is_named(
    program: Program, registry: Scripted, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    ended = _login(program, registry.address, "--authfile", str(tmp_path / "file" / "auth.json"))
    assert ended.code == 2, ended
    assert "auth.json cannot be read" in ended.err


def test_a_logout_forgets_every_spelling_of_one_registry_and_no_other(
    program: Program, config: Path
) -> None:
    entry = {"auth": "eDp5"}
    kept = {"docker.io/team": entry, "x.example": entry, "docker.io.example": entry}
    gone = {"https://index.docker.io/v1/": entry, "docker.io": entry, "index.docker.io": entry}
    config.parent.mkdir()
    config.write_text(json.dumps({"auths": kept | gone}))
    assert program("logout", "docker.io").code == 0
    assert json.loads(config.read_text()) == {"auths": kept}
    ended = program("logout", "docker.io")
    assert ended.code == 0, ended
    assert "you were not logged in" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("login",),
        ("login", "-u", "u", "--password-stdin", "no-dot"),
        ("login", "-u", "u", "--password-stdin", "r.example/team"),
        ("login", "--password-stdin", "r.example"),
        ("login", "-u", "u", "r.example"),
        ("logout", ""),
        ("auth", "explain", "oci:folder"),
    ],
)
def test_wrong_usage_ends_with_code_2(program: Program, arguments: tuple[str, ...]) -> None:
    ended = program(*arguments, stdin="secret")
    assert ended.code == 2, ended
    assert "Traceback" not in ended.err


def test_without_a_password_on_standard_input_the_terminal_is_asked(
    registry: Scripted, config: Path
) -> None:
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - it becomes another program
        command = [sys.executable, "-m", "regimport", "login", registry.address]
        os.execv(sys.executable, command)
    said = _until(terminal, "User name: ")
    os.write(terminal, b"alice\n")
    said += _until(terminal, "Password: ")
    os.write(terminal, b"wonder:land\n")
    said += _until(terminal, "the credentials are in")
    _until(terminal, None)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(terminal)
    assert "wonder" not in said
    assert _AUTH in config.read_text()


def _until(terminal: int, words: str | None) -> str:
    """Read what a terminal shows up to some words, or to its end."""
    said = ""
    while words is None or words not in said:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # Linux says so when the other end is closed
            piece = b""
        if not piece:
            assert words is None, said
            break
        said += piece.decode()
    return said
