"""The commands beside copy, and the program as a whole."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from regimport import __version__
from support.client import Client
from support.images import FORMS, many_platforms, single
from support.program import Program
from support.registries import DockerRegistry

needs_registry = pytest.mark.docker_registry
COMMANDS = (
    "copy",
    "verify",
    "inspect",
    "tags",
    "repositories",
    "digest",
    "serve",
    "schema",
    "login",
    "logout",
    "auth",
)


@needs_registry
def test_inspect_raw_gives_the_manifests_bytes_untouched(
    program: Program, source: DockerRegistry, repository: str
) -> None:
    image = FORMS["oddly written manifest"]()
    Client(source.address).push(repository, image, "1")
    ended = program("inspect", "--raw", f"{source.address}/{repository}:1")
    assert ended.out.encode() == image.raw


@needs_registry
def test_tags_lists_every_tag(program: Program, source: DockerRegistry, repository: str) -> None:
    image = single()
    client = Client(source.address)
    client.push(repository, image)
    tags = [f"v{number:03}" for number in range(120)]
    for tag in tags:
        client.put_manifest(repository, tag, image.media_type, image.raw)
    # This registry has no order of its own.
    assert sorted(program("tags", f"{source.address}/{repository}").out.split()) == tags
    listed = json.loads(program("tags", "-o", "json", f"{source.address}/{repository}").out)
    assert sorted(listed["tags"]) == tags
    some = ("--match", "v0*", "--exclude", "*[1-9]", "--newest", "2")
    assert program("tags", f"{source.address}/{repository}", *some).out == "v080\nv090\n"
    listed = json.loads(program("repositories", "-o", "json", source.address).out)
    assert repository in listed["repositories"]
    assert program("tags", f"{source.address}/{repository}:v001").code == 2
    assert program("tags", f"{source.address}/{repository}/not").code == 5


@needs_registry
def test_digest_costs_one_head(program: Program, source: DockerRegistry, repository: str) -> None:
    image = many_platforms()
    Client(source.address).push(repository, image, "1")
    source.clear()
    name = f"{source.address}/{repository}"
    assert program("digest", f"{name}:1").out == f"{image.root}\n"
    assert [asked.method for asked in source.requests()] == ["HEAD"]
    assert program("digest", "--full-ref", f"{name}:1").out == f"{name}@{image.root}\n"


@needs_registry
def test_a_copy_goes_to_a_layout_and_back(
    program: Program, source: DockerRegistry, target: DockerRegistry, repository: str
) -> None:
    image = FORMS["nested index"]()
    Client(source.address).push(repository, image, "1")
    layout = f"oci:{program.folder / 'layout'}"
    assert program("copy", f"{source.address}/{repository}:1", layout).code == 0
    assert program("copy", f"{layout}:1", f"{target.address}/{repository}").code == 0
    assert Client(target.address).read_all(repository, "1") == image.content()
    assert program("tags", layout).out == "1\n"


@pytest.mark.parametrize("document", ["report", "inspection", "explanation"])
def test_schema_prints_a_json_schema(program: Program, document: str) -> None:
    schema = json.loads(program("schema", document).out)
    assert schema["properties"]["schema_version"]["const"] == "1"
    assert schema["additionalProperties"] is False


def test_the_version_is_printed_by_the_command_and_by_the_module(program: Program) -> None:
    assert program("--version").out == f"regimport {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(program: Program, command: str) -> None:
    ended = program(command, "--help", COLUMNS="200")
    assert ended.code == 0
    assert f"Example: regimport {command}" in ended.out


def test_the_help_of_the_program_names_every_command(program: Program) -> None:
    ended = program("-h")
    assert ended.code == 0
    assert all(f" {command} " in ended.out for command in COMMANDS)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_the_shell_that_asks(shell: str) -> None:
    done = complete({"_REGIMPORT_COMPLETE": f"source_{shell}"})
    assert "_REGIMPORT_COMPLETE=complete_" in done


def test_a_command_is_completed() -> None:
    asked = {
        "_REGIMPORT_COMPLETE": "complete_bash",
        "COMP_WORDS": "regimport in",
        "COMP_CWORD": "1",
    }
    assert complete(asked).split() == ["inspect"]


def complete(asked: dict[str, str]) -> str:
    """What the installed command answers a shell."""
    run = [str(Path(sys.executable).parent / "regimport")]
    environment = os.environ | asked
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("copy",),
        ("copy", "only-a-source"),
        ("copy", "a", "b", "--no-such-option"),
        ("copy", "a/UPPER", "b"),
        ("copy", "a", "b@sha256:short"),
        ("copy", "a", "b", "--max-layer-size", "large"),
        ("copy", "a", "b", "--max-manifests", "-1"),
        ("copy", "a", "b", "--jobs", "0"),
        ("copy", "a", "b", "--source-username", "u"),
        ("copy", "a", "b", "--source-password-stdin"),
        ("inspect", "::"),
        ("schema", "nothing"),
        ("no-such-command",),
    ],
)
def test_wrong_usage_ends_with_code_2_and_one_message(
    program: Program, arguments: tuple[str, ...]
) -> None:
    ended = program(*arguments)
    assert ended.code == 2, ended
    assert ended.out == ""
    assert ended.err.strip()
    assert "Traceback" not in ended.err


def test_importing_the_package_loads_nothing_heavy() -> None:
    script = "import sys, regimport; print(sorted({'httpx','rich','pydantic'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_the_example_image_is_what_its_index_says(program: Program) -> None:
    layout = Path(__file__).parents[2] / "examples" / "hello-world" / "layout"
    document = json.loads(program("inspect", "-o", "json", f"oci:{layout}:latest").out)
    platforms = [child["platform"] for child in document["root"]["manifests"]]
    assert platforms == [
        "linux/amd64",
        "linux/arm64/v8",
        "linux/arm/v7",
        "linux/386",
        "linux/riscv64",
        "linux/ppc64le",
        "linux/s390x",
        "unknown/unknown",
    ]
    for path in (layout / "blobs" / "sha256").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
