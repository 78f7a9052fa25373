"""The commands, and the module that each is in."""

from __future__ import annotations

from importlib import import_module

import typer

from regimport.cli.failures import JsonCommand, with_json_errors
from regimport.cli.groups import flatten
from regimport.cli.usage import Group

__all__ = ["add_commands"]

# MODULE.FUNCTION of each command, in the order of the help: first what is used every day.
_DAILY = (
    "copy.copy",
    "inspect.inspect",
    "tags.tags",
    "digest.digest",
    "verify.verify",
    "login.login",
    "login.logout",
)
_OTHERS = (
    "diff.diff",
    "repositories.repositories",
    "delete.delete",
    "help.help_",
    "ratelimit.ratelimit",
    "serve.serve",
    "schema.schema",
    "completion.completion",
    "version.version",
)
_ALIASES = {"cp": "copy.copy", "ls": "tags.tags"}
_MORE = "More commands"
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
    app.info.cls = Group
    alone = [place for place in (*_DAILY, *_OTHERS) if _name_of(place) == wanted]
    if wanted in _GROUPS:
        _add_group(app, wanted)
    elif wanted in _ALIASES:
        _add(app, _ALIASES[wanted], wanted)
    elif alone:
        _add(app, *alone)
    else:
        for place in _DAILY:
            _add(app, place)
        for name, place in _ALIASES.items():
            _add(app, place, name)
        for place in _OTHERS:
            _add(app, place, panel=_MORE)
        for name in _GROUPS:
            _add_group(app, name)


def _name_of(place: str) -> str:
    """Return the name of a command; its function has a _ after it if Python uses the name."""
    return place.partition(".")[2].rstrip("_")


def _add_group(app: typer.Typer, name: str) -> None:
    text, places = _GROUPS[name]
    group = typer.Typer(no_args_is_help=True, help=text)
    # Without a callback, Typer makes the only command of a group the group itself.
    group.callback()(lambda: None)
    for place in places:
        _add(group, place)
    app.add_typer(group, name=name, rich_help_panel=_MORE)


def _add(
    app: typer.Typer, place: str, alias: str | None = None, *, panel: str | None = None
) -> None:
    module, _, name = place.partition(".")
    function = getattr(import_module(f"regimport.cli.{module}"), name)
    app.command(
        alias or _name_of(place),
        cls=JsonCommand,
        hidden=alias is not None,
        help=_paragraphs(function.__doc__),
        rich_help_panel=panel,
    )(with_json_errors(flatten(function)))


def _paragraphs(text: str) -> str:
    """Return a docstring with each paragraph in one line, as a terminal is to wrap it."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
