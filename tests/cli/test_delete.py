"""`regimport delete`: what it shows, asks and prints."""

from __future__ import annotations

import json

import pytest

from support.client import Client
from support.images import single
from support.program import Program
from support.registries import DockerRegistry
from support.terminal import on_a_terminal

pytestmark = pytest.mark.docker_registry


def test_what_else_points_there_is_shown_and_nothing_goes_without_a_yes(
    program: Program, target: DockerRegistry, repository: str
) -> None:
    name = f"{target.address}/{repository}"
    Client(target.address).push(repository, single("a"), "one", "two")
    asked = program("delete", f"{name}:one")
    assert asked.code == 2
    assert f"{name}:one is sha256:" in asked.err
    assert "  also tagged two" in asked.err
    assert "add --yes" in asked.err
    refused = program("delete", "--yes", f"{name}:one")
    assert refused.code == 9
    assert "--with-tags deletes all of these tags" in refused.err
    assert program("delete", "--dry-run", f"{name}:one").out == f"would delete {name}:one\n"
    assert sorted(program("tags", name).out.split()) == ["one", "two"]
    done = program("delete", "--yes", "--with-tags", "-o", "json", f"{name}:one")
    (entry,) = json.loads(done.out)["references"]
    assert (done.code, sorted(entry["deleted_tags"])) == (0, ["one", "two"])


def test_each_of_several_tags_is_deleted_and_the_first_failure_is_the_exit_code(
    program: Program, target: DockerRegistry, repository: str
) -> None:
    name = f"{target.address}/{repository}"
    client = Client(target.address)
    client.push(repository, single("a"), "one", "two")
    client.push(repository, single("b"), "three")
    done = program("delete", "--yes", f"{name}:one", f"{name}:three")
    assert (done.code, done.out) == (9, f"deleted {name}:three\n")
    assert program("delete", "--yes", f"{name}:none", f"{name}:one").code == 5
    assert sorted(program("tags", name).out.split()) == ["one", "two"]


def test_a_person_is_asked_on_a_terminal(
    program: Program, target: DockerRegistry, repository: str
) -> None:
    name = f"{target.address}/{repository}"
    Client(target.address).push(repository, single("a"), "one")
    for answer, code in (("n\n", 1), ("y\n", 0)):
        shown = on_a_terminal(program.folder, "delete", f"{name}:one", typed=answer)
        assert "Delete 1 reference?" in shown.text
        assert shown.code == code
