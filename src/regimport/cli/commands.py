"""Which commands there are, and where each stands."""

from __future__ import annotations

from importlib import import_module

import typer

from regimport.cli.groups import flatten

__all__ = ["add_commands"]

# Module and function of each, in the order of the help.
_COMMANDS = (
    "copy.copy",
    "verify.verify",
    "inspect.inspect",
    "tags.tags",
    "digest.digest",
    "login.login",
    "login.logout",
    "ratelimit.ratelimit",
    "serve.serve",
    "schema.schema",
)
_AUTH = (
    "Tell which credentials are used, and why.\n\n"
    "Example: regimport auth explain docker.io/library/hello-world"
)
_GROUPS = {
    "auth": (
        _AUTH,
        ("auth.explain",),
    ),
    "config": ("Check and find the configuration file.", ("config.check", "config.path")),
}


def add_commands(app: typer.Typer, wanted: str) -> None:
    """Add the command that is `wanted` to the program; all of them if it is no command's name.

    To load and describe the others, too, would take longer than many a command.
    """
    alone = [place for place in _COMMANDS if place.endswith(f".{wanted}")]
    if wanted in _GROUPS:
        _add_group(app, wanted)
        return
    for place in alone or _COMMANDS:
        _add(app, place)
    if not alone:
        for name in _GROUPS:
            _add_group(app, name)


def _add_group(app: typer.Typer, name: str) -> None:
    text, places = _GROUPS[name]
    group = typer.Typer(no_args_is_help=True, help=text)
    # A command of a group that has only one is one of the group all the same.
    group.callback()(lambda: None)
    for place in places:
        _add(group, place)
    app.add_typer(group, name=name)


def _add(app: typer.Typer, place: str) -> None:
    module, _, function = place.partition(".")
    app.command()(flatten(getattr(import_module(f"regimport.cli.{module}"), function)))
