"""The commands, and the module that each is in."""

from __future__ import annotations

from importlib import import_module

import typer

from regimport.cli.failures import JsonCommand, with_json_errors
from regimport.cli.groups import flatten

__all__ = ["add_commands"]

# MODULE.FUNCTION of each command, in the order of the help.
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
_AUTH_HELP = (
    "Explain which credentials are used, and why.\n\n"
    "Example: regimport auth explain docker.io/library/hello-world"
)
_GROUPS = {
    "auth": (
        _AUTH_HELP,
        ("auth.explain",),
    ),
    "config": ("Find and check the configuration file.", ("config.check", "config.path")),
}


def add_commands(app: typer.Typer, wanted: str) -> None:
    """Add the command named `wanted` to `app`, or all of them if there is none of that name.

    Loading the modules of all commands takes longer than many a command runs.
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
    # Without a callback, Typer makes the only command of a group the group itself.
    group.callback()(lambda: None)
    for place in places:
        _add(group, place)
    app.add_typer(group, name=name)


def _add(app: typer.Typer, place: str) -> None:
    module, _, function = place.partition(".")
    command = getattr(import_module(f"regimport.cli.{module}"), function)
    app.command(cls=JsonCommand)(with_json_errors(flatten(command)))
