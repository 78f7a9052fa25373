"""Help, aliases, completion, and what other tools' words are answered with."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest
import typer

from regimport import __version__
from regimport.cli.commands import add_commands
from support.program import Program
from support.terminal import on_a_terminal

ROOT = Path(__file__).parents[2]
LAYOUT = ROOT / "examples" / "hello-world" / "layout"
PAGES = ROOT / "src/regimport/help"
TOPICS = sorted(path.stem for path in PAGES.glob("*.md"))
WIDE = {"COLUMNS": "160"}

PANELS = ("Output", "Access", "Connections", "Limits", "Time")


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
    assert panels == ["Arguments", "Options", "Several", *PANELS, "Azure"]
    daily = copying.partition("─ Options ─")[2].partition("╰")[0]
    assert re.findall(r"│ (--[a-z-]+)", daily) == [
        "--platform",
        "--as-index",
        "--no-attestations",
        "--referrers",
        "--foreign-layers",
        "--no-clobber",
        "--dry-run",
        "--verify",
        "--repair",
        "--backup",
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


def test_help_alone_lists_every_topic(program: Program) -> None:
    shown = program("help")
    assert shown.code == 0
    assert TOPICS
    assert re.findall(r"^- `([a-z-]+)`: \S", shown.out, re.MULTILINE) == TOPICS


@pytest.mark.parametrize("topic", TOPICS)
def test_every_page_has_a_title_and_no_command_has_its_name(topic: str) -> None:
    assert re.match(r"# \S.{5,70}\n\n\S", (PAGES / f"{topic}.md").read_text())
    app = typer.Typer()
    app.callback()(lambda: None)
    add_commands(app, "")
    assert topic not in cast("Any", typer.main.get_command(app)).commands


def test_a_topic_is_plain_text_in_a_pipe_and_its_links_name_topics(program: Program) -> None:
    shown = program("help", "exit-codes")
    assert shown.code == 0
    assert shown.out == program("help", "exit", "codes").out
    assert shown.out.startswith("# Exit codes\n")
    assert "| 3 | a limit is exceeded; nothing was written |" in shown.out
    assert "](" not in program("help", "reliability").out


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_topic_is_rendered_on_a_terminal(tmp_path: Path, width: int) -> None:
    shown = on_a_terminal(tmp_path, "help", "exit-codes", width=width)
    assert shown.code == 0
    assert "a limit is exceeded" in shown.text
    assert "| 3 |" not in shown.text
    assert max(map(len, shown.text.splitlines())) <= width


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_name_is_cut_off_on_a_narrow_terminal(tmp_path: Path, width: int) -> None:
    shown = on_a_terminal(tmp_path, "help", "environment", width=width).text
    listed = (PAGES / "environment.md").read_text()
    # Options go on in the next line where there is no room for a whole one.
    names = re.findall(r"`([A-Z_]+|--[a-z-]+)`" if width > 60 else r"`([A-Z_]+)`", listed)
    assert names
    assert [name for name in names if name not in shown] == []
    assert "…" not in shown


@pytest.mark.parametrize("command", ["copy", "cp", "auth explain", "config", "help"])
def test_help_with_a_command_is_the_help_of_the_command(program: Program, command: str) -> None:
    shown = program("help", *command.split())
    assert (shown.code, shown.err) == (0, "")
    assert shown.out == program(*command.split(), "--help").out


@pytest.mark.parametrize(
    ("topic", "answer"),
    [
        ("authentification", "did you mean `authentication`?"),
        ("coppy", "did you mean `copy`?"),
        ("proxy", "these topics mention it: network"),
        ("import", "`regimport copy SOURCE TARGET` copies an image"),
        ("xyzzy", "`regimport help` lists the topics"),
    ],
)
def test_a_topic_that_is_not_there_is_answered_with_where_to_look(
    program: Program, topic: str, answer: str
) -> None:
    shown = program("help", topic)
    assert (shown.code, shown.out) == (2, "")
    assert answer in shown.err


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
        ("rm", "regimport delete REFERENCE..."),
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
    listed = (ROOT / "src/regimport/help/environment.md").read_text()
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
