"""`regimport config`, and commands that follow the file."""

from __future__ import annotations

import json
from pathlib import Path

import trustme

from support.program import Program
from support.registries import DockerRegistry


def test_a_file_that_can_be_meant_is_good(program: Program, ca_file: Path) -> None:
    file = program.folder / "config.toml"
    file.write_text(f'[registry."a.example"]\nca-file = "{ca_file}"\n[registry."b.example"]\n')
    ended = program("config", "check", str(file))
    assert ended.code == 0, ended.err
    assert ended.out.split() == ["a.example", "b.example"]
    assert ended.err.strip() == f"{file} is valid and has settings for 2 registries"


def test_a_file_that_names_a_certificate_that_is_not_there_is_not_good(program: Program) -> None:
    (program.folder / "config.toml").write_text("[registry.localhost]\nca-file = 'ca.pem'\n")
    ended = program("config", "check", REGIMPORT_CONFIG="config.toml")
    assert (ended.code, ended.out) == (2, "")
    assert "config.toml: ca.pem cannot be read: No such file" in ended.err


def test_a_file_that_is_not_valid_ends_every_command_before_it_asks(
    program: Program, source: DockerRegistry
) -> None:
    (program.folder / "config.toml").write_text("[registry.localhost]\nmirror = 'x'\n")
    image = f"{source.address}/app:1"
    for command in (
        ["copy", image, f"{source.address}/b:1"],
        ["inspect", image],
        ["tags", f"{source.address}/app"],
        ["verify", image, image],
        ["ratelimit", source.address],
        ["digest", image],
        ["login", "-u", "x", "--password-stdin", source.address],
    ):
        ended = program(*command, stdin="secret\n", REGIMPORT_CONFIG="config.toml")
        assert ended.code == 2, command
        assert "config.toml: unknown key `mirror`; did you mean `mirrors`?" in ended.err
        assert "hint: `regimport schema config`" in ended.err
    assert source.requests() == []


def test_no_file_is_no_error(program: Program) -> None:
    ended = program("config", "check")
    assert (ended.code, ended.out) == (0, "")
    assert "there is no configuration file" in ended.err


def test_the_place_of_the_file_is_printed(program: Program, tmp_path: Path) -> None:
    ended = program("config", "path", XDG_CONFIG_HOME=str(tmp_path))
    assert ended.out.strip() == str(tmp_path / "regimport" / "config.toml")
    assert program("config", "path", REGIMPORT_CONFIG="x.toml").out.strip() == "x.toml"


def test_the_schema_of_the_file_is_printed(program: Program) -> None:
    schema = json.loads(program("schema", "config").out)
    assert "registry" in schema["properties"]
    keys = schema["$defs"]["RegistryDocument"]["properties"]
    assert {"mirrors", "endpoint", "plain-http", "insecure", "ca-file", "cert", "key"} <= set(keys)


def test_the_file_says_where_a_registry_is_and_whom_to_trust_there(
    program: Program, tls_process: DockerRegistry, ca_file: Path
) -> None:
    """A private endpoint behind another name: the name of the registry stays that of the user."""
    (program.folder / "config.toml").write_text(
        f'[registry."registry.example"]\nendpoint = "https://{tls_process.address}"\n'
        f'ca-file = "{ca_file}"\n'
    )
    ended = program(
        "login",
        "-u",
        "alice",
        "--password-stdin",
        "registry.example",
        stdin="wonder:land\n",
        REGIMPORT_CONFIG="config.toml",
    )
    assert ended.code == 0, ended.err
    assert "logged in to registry.example" in ended.err


def test_an_option_counts_before_the_file(
    program: Program, tls_process: DockerRegistry, ca_file: Path
) -> None:
    other = program.folder / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    (program.folder / "config.toml").write_text(
        f'[registry."{tls_process.address}"]\nca-file = "{other}"\n'
    )
    login = ["login", "-u", "alice", "--password-stdin", tls_process.address]
    ended = program(*login, stdin="wonder:land\n", REGIMPORT_CONFIG="config.toml")
    assert (ended.code, "not trusted here" in ended.err) == (6, True)
    ended = program(
        *login, "--ca-file", str(ca_file), stdin="wonder:land\n", REGIMPORT_CONFIG="config.toml"
    )
    assert ended.code == 0, ended.err
