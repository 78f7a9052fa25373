"""`auth explain` says where credentials come from, and never what they are."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from support.images import single
from support.miniature import BasicDoor, Miniature
from support.program import Program
from support.scripted import Scripted


@pytest.fixture
def config() -> Path:
    path = Path(os.environ["HOME"]) / ".docker" / "config.json"
    path.parent.mkdir()
    return path


def _write(path: Path, document: object, mode: int = 0o600) -> None:
    path.write_text(json.dumps(document))
    path.chmod(mode)


def test_each_side_is_told_what_counts_and_what_was_looked_at(
    program: Program, config: Path
) -> None:
    _write(config, {"auths": {"https://index.docker.io/v1/": {"auth": "YWxpY2U6aHVudGVyMg=="}}})
    environment = {"REGIMPORT_SOURCE_USERNAME": "bob", "REGIMPORT_SOURCE_PASSWORD": "hunter2"}
    ended = program("auth", "explain", "hello-world:latest", **environment)
    assert ended.code == 0, ended
    assert "docker.io/library/hello-world as a source: user 'bob' with a password" in ended.out
    assert "docker.io/library/hello-world as a target: user 'alice' with a password" in ended.out
    assert f"{config}  " in ended.out
    assert "used: entry 'https://index.docker.io/v1/'" in ended.out
    assert "hunter2" not in ended.out + ended.err
    assert "YWxp" not in ended.out + ended.err


def test_the_same_is_there_for_programs(program: Program, config: Path) -> None:
    _write(config, {"auths": {"r.example/team": {"identitytoken": "hunter2"}}})
    ended = program("auth", "explain", "-o", "json", "r.example/team/app")
    document = json.loads(ended.out)
    assert document["schema_version"] == "1"
    assert (document["registry"], document["repository"]) == ("r.example", "team/app")
    assert document["target"]["used"] == str(config)
    assert document["target"]["credential"] == "an identity token"
    outcomes = [place["outcome"] for place in document["target"]["places"]]
    assert outcomes[:3] == ["nothing", "nothing", "used"]
    assert "hunter2" not in ended.out


def test_a_file_that_was_named_is_the_first_file(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    _write(path, {"auths": {"r.example": {"username": "n", "password": "p"}}}, 0o644)
    ended = program("auth", "explain", "--authfile", str(path), "r.example/app")
    assert ended.code == 0, ended
    assert f"3. --authfile ({path})" in ended.out
    assert "used: entry 'r.example'" in ended.out
    assert ended.err.count("that other users may read") == 1


def test_a_broken_helper_is_told_and_what_counts_in_its_place(
    program: Program, config: Path
) -> None:
    entry = {"username": "file", "password": "p"}
    _write(config, {"credsStore": "absent", "auths": {"r.example": entry}})
    ended = program("auth", "explain", "r.example/app")
    assert ended.code == 0, ended
    assert "failed: credential helper 'absent': docker-credential-absent is not in" in ended.out
    assert "used: entry 'r.example'" in ended.out


def test_a_file_that_cannot_be_read_ends_it_with_code_2(program: Program, config: Path) -> None:
    config.write_text("}{ secret")
    ended = program("auth", "explain", "r.example/app")
    assert ended.code == 2, ended
    assert "as a source: a copy fails with an error" in ended.out
    assert "failed" in ended.out
    assert f"{config} is not valid JSON" in ended.err
    assert "secret" not in ended.out + ended.err


def test_a_copy_ends_the_same_way_before_anything_is_written(
    program: Program, config: Path
) -> None:
    config.write_text("}{")
    door = BasicDoor({"alice": "p"})
    with Scripted(Miniature(door)) as source, Scripted(Miniature()) as target:
        ended = program("copy", f"{source.address}/app", f"{target.address}/app")
        assert ended.code == 2, ended
        assert all(heard.method in {"GET", "HEAD"} for heard in target.heard)


def test_a_broken_helper_is_named_as_the_cause_when_the_registry_refuses(
    program: Program, config: Path
) -> None:
    with Scripted(Miniature(BasicDoor({"alice": "p"}))) as registry:
        other = {"auths": {"other.example": {"username": "o", "password": "hunter2"}}}
        _write(config, {**other, "credHelpers": {registry.address: "absent"}})
        ended = program("tags", f"{registry.address}/app")
        assert all(heard.authorization is None for heard in registry.heard)
    assert ended.code == 4, ended
    warning, _, error = ended.err.partition("error:")
    assert "docker-credential-absent is not in the PATH" in warning
    assert "docker-credential-absent is not in the PATH" in error
    assert "hunter2" not in ended.err


def test_a_broken_helper_is_no_hindrance_where_nobody_has_to_log_in(
    program: Program, config: Path
) -> None:
    miniature = Miniature()
    miniature.hold("app", single())
    with Scripted(miniature) as registry:
        _write(config, {"credsStore": "absent"})
        ended = program("tags", f"{registry.address}/app")
    assert (ended.code, ended.out) == (0, "latest\n")


def test_a_helper_that_hangs_ends_with_the_copy(
    program: Program, config: Path, tmp_path: Path
) -> None:
    helper = tmp_path / "docker-credential-slow"
    helper.write_text('#!/bin/sh\necho $$ > "$LOG.new"; mv "$LOG.new" "$LOG"\nexec sleep 1000\n')
    helper.chmod(0o700)
    log = tmp_path / "pid"
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    with Scripted(Miniature(BasicDoor({"alice": "p"}))) as registry:
        _write(config, {"credHelpers": {registry.address: "slow"}})
        ends = (f"{registry.address}/app", f"oci:{tmp_path}/layout")
        running = program.start("copy", *ends, PATH=path, LOG=str(log))
        until = time.monotonic() + 20
        while not log.exists() and time.monotonic() < until:
            os.sched_yield()
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=20)
    assert running.returncode == 130, said
    assert not Path(f"/proc/{log.read_text().strip()}/cmdline").exists()
