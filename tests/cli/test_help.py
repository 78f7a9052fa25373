"""Help, aliases, completion, and what other tools' words are answered with."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from regimport import __version__
from support.program import Program

ROOT = Path(__file__).parents[2]
LAYOUT = ROOT / "examples" / "hello-world" / "layout"
WIDE = {"COLUMNS": "160"}


def test_what_is_used_every_day_comes_first(program: Program) -> None:
    shown = program("--help", **WIDE).out
    commands, _, others = shown.partition("More commands")
    assert re.findall(r"^│ ([a-z]+) ", commands, re.MULTILINE) == [
        "copy",
        "inspect",
        "tags",
        "digest",
        "verify",
        "login",
        "logout",
    ]
    assert all(f"│ {name} " in others for name in ("serve", "schema", "completion", "version"))
    copying = program("copy", "--help", **WIDE).out
    panels = re.findall(r"^╭─ (\w+) ", copying, re.MULTILINE)
    assert panels == ["Arguments", "Options", "Output", "Access", "Connections", "Limits", "Time"]
    daily = copying.partition("─ Options ─")[2].partition("╰")[0]
    assert re.findall(r"│ (--[a-z-]+)", daily) == [
        "--platform",
        "--no-clobber",
        "--dry-run",
        "--verify",
        "--help",
    ]


def test_a_paragraph_of_the_help_is_wrapped_by_the_terminal_alone(program: Program) -> None:
    shown = program("copy", "--help", **WIDE).out
    sentence = "What a target already has is not sent again. Its tag is set last,"
    assert sentence in shown


@pytest.mark.parametrize("command", ["copy", "cp"])
def test_the_usage_line_says_that_there_may_be_several_targets(
    program: Program, command: str
) -> None:
    assert f"regimport {command} [OPTIONS] SOURCE TARGET...\n" in re.sub(
        r" +\n", "\n", program(command, "--help", **WIDE).out
    )


def test_cp_and_ls_are_copy_and_tags_and_not_listed_twice(program: Program) -> None:
    assert program("cp", f"oci:{LAYOUT}:latest", "oci:copied").code == 0
    assert program("ls", "oci:copied").out == "latest\n"
    shown = program("--help").out
    assert "│ cp " not in shown
    assert "│ ls " not in shown


def test_version_is_a_command_too(program: Program) -> None:
    assert program("version").out == program("--version").out == f"regimport {__version__}\n"


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("list", "regimport tags REPOSITORY"),
        ("list-tags", "regimport tags REPOSITORY"),
        ("manifest", "regimport inspect --raw REFERENCE"),
        ("import", "regimport copy SOURCE TARGET"),
        ("sync", "regimport copy SOURCE TARGET"),
        ("pull", "regimport copy SOURCE oci:DIRECTORY"),
        ("push", "regimport copy oci:DIRECTORY TARGET"),
        ("validate", "regimport verify SOURCE TARGET"),
        ("delete", "deletes nothing"),
        ("coppy", "Did you mean 'copy'"),
    ],
)
def test_another_tools_command_is_answered_with_the_one_that_does_it(
    program: Program, word: str, answer: str
) -> None:
    ended = program(word, "x", **WIDE)
    assert (ended.code, ended.out) == (2, "")
    assert answer in ended.err


@pytest.mark.parametrize(
    ("option", "answer"),
    [
        ("--force", "tags are overwritten by default; --no-clobber prevents it"),
        ("--all", "every platform is copied by default"),
        ("--src-creds=ci:s3cret", "--source-username with --source-password-stdin"),
        ("--dest-creds", "--target-username with --target-password-stdin"),
        ("--src-tls-verify=false", "--plain-http HOST"),
    ],
)
def test_another_tools_option_is_answered_with_what_does_it(
    program: Program, option: str, answer: str
) -> None:
    ended = program("copy", "r.example/a", "r.example/b", option, **WIDE)
    assert (ended.code, ended.out) == (2, "")
    assert answer in ended.err
    assert "s3cret" not in ended.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_that_the_shell_can_read(program: Program, shell: str) -> None:
    ended = program("completion", shell)
    assert ended.code == 0
    assert f"_REGIMPORT_COMPLETE=complete_{shell}" in ended.out
    if (path := shutil.which(shell)) is not None:
        subprocess.run([path, "-n"], input=ended.out, text=True, check=True)


def test_completion_knows_no_other_shell(program: Program) -> None:
    assert program("completion", "cmd").code == 2


def test_every_environment_variable_is_named_beside_its_option_and_in_one_list() -> None:
    listed = (ROOT / "README.md").read_text().partition("## Environment variables")[2]
    listed = listed.partition("\n## ")[0]
    source = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    read = set(re.findall(r"environ(?:\.get\(|\[)\"([A-Z_]+)\"", source))
    read |= set(re.findall(r"\"(REGIMPORT_[A-Z]+)\"", source)) - {"PATH"}
    assert {"REGIMPORT_CONFIG", "DOCKER_CONFIG", "NO_COLOR"} <= read
    for name in read - {"PATH", "_REGIMPORT_COMPLETE"}:
        assert f"`{name}`" in listed, name


@pytest.mark.parametrize(
    ("command", "variables"),
    [
        (
            "copy",
            (
                "REGIMPORT_SOURCE_USERNAME",
                "REGIMPORT_SOURCE_PASSWORD",
                "REGIMPORT_TARGET_USERNAME",
                "REGIMPORT_TARGET_PASSWORD",
                "REGISTRY_AUTH_FILE",
                "DOCKER_CONFIG",
                "SSL_CERT_FILE",
                "NO_COLOR",
            ),
        ),
        ("tags", ("REGIMPORT_SOURCE_USERNAME", "REGISTRY_AUTH_FILE", "SSL_CERT_FILE")),
        ("config path", ("REGIMPORT_CONFIG",)),
    ],
)
def test_the_help_names_a_variable_beside_its_option(
    program: Program, command: str, variables: tuple[str, ...]
) -> None:
    shown = program(*command.split(), "--help", COLUMNS="300").out
    for variable in variables:
        assert variable in shown, variable
