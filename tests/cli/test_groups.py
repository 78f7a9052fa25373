"""Groups of options: what Typer sees of them, and what a command gets."""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from typing import Annotated, Any, NamedTuple

import pytest
import typer
from typer.testing import CliRunner

from regimport.cli.connections import SharedOptions
from regimport.cli.groups import flatten


class Inner(NamedTuple):
    """A group within another."""

    colour: Annotated[str, typer.Option(help="A colour.")] = "red"


class Outer(NamedTuple):
    """A group that has another in it."""

    size: Annotated[int, typer.Option("--size", "-s", help="A size.")] = 1
    inner: Inner = Inner()


def run(*arguments: str) -> list[Any]:
    """Run a command with a group, and return what it was called with."""
    called: list[Any] = []

    def command(name: str, *, flag: bool = False, group: Outer) -> None:
        """Do nothing."""
        called.extend((name, flag, group))

    app = typer.Typer()
    app.command()(flatten(command))
    ended = CliRunner().invoke(app, arguments)
    assert ended.exit_code == 0, ended.output
    return called


def test_a_command_gets_its_groups_with_their_defaults() -> None:
    assert run("x") == ["x", False, Outer(1, Inner("red"))]


def test_an_option_of_a_group_within_a_group_is_an_option_of_the_command() -> None:
    assert run("x", "--colour", "blue", "-s", "3", "--flag") == ["x", True, Outer(3, Inner("blue"))]


def test_the_options_stand_where_their_group_stands() -> None:
    def command(name: str, *, group: Outer, last: bool = False) -> None:
        """Do nothing."""

    assert list(signature(flatten(command)).parameters) == ["name", "size", "colour", "last"]


def test_a_required_argument_stays_required() -> None:
    def command(name: str, *, group: Outer) -> None:
        """Do nothing."""

    app = typer.Typer()
    app.command()(flatten(command))
    assert CliRunner().invoke(app, []).exit_code == 2


@pytest.mark.parametrize(
    "command", ["copy", "verify", "inspect", "tags", "digest", "login", "ratelimit"]
)
def test_every_command_that_asks_a_registry_takes_the_shared_options(command: str) -> None:
    function = getattr(import_module(f"regimport.cli.{command}"), command)
    assert set(SharedOptions._fields) <= set(signature(flatten(function)).parameters)
