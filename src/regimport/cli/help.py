"""`regimport help`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Annotated, Any

import typer

from regimport.cli.usage import answer_to
from regimport.errors import InvalidOptions

__all__ = ["help_"]

# A link that leads from a page to another page, or out of this folder into the repository.
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)([^)]+)\)")
_PAGE = re.compile(r"([a-z-]+)\.md(?:#.*)?")


def _complete(incomplete: str) -> list[str]:
    return [name for name in _pages() if name.startswith(incomplete)]


TopicArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TOPIC]",
        help="A topic, or a command. Without it, the topics are listed.",
        show_default=False,
        autocompletion=_complete,
    ),
]


def help_(context: typer.Context, topic: TopicArgument = None) -> None:
    """Explain a topic or a command, or list the topics.

    Example: regimport help authentication
    """
    words = [word.lower() for word in topic or ()]
    pages = _pages()
    name = "-".join(words)
    if not words:
        _show(_contents(pages))
    elif name in pages:
        _show(_without_links(pages[name]))
    else:
        _show_command(context, words, pages)


def _pages() -> Mapping[str, str]:
    """Return the text of each page, by its topic; the README links to the same files."""
    found = sorted(files("regimport").joinpath("help").iterdir(), key=lambda path: path.name)
    return {
        path.name.removesuffix(".md"): path.read_text(encoding="utf-8")
        for path in found
        if path.name.endswith(".md")
    }


def _contents(pages: Mapping[str, str]) -> str:
    """Return a page that lists the topics with their titles."""
    titles = {name: text.partition("\n")[0].removeprefix("# ") for name, text in pages.items()}
    rows = "\n".join(f"- `{name}`: {title}" for name, title in titles.items())
    return (
        f"`regimport help TOPIC` explains a topic:\n\n{rows}\n\n"
        "`regimport help COMMAND` explains a command, and `regimport --help` lists the commands.\n"
    )


def _without_links(page: str) -> str:
    """Return a page whose links name the topics that they lead to, as there is nothing to click."""

    def name_topic(link: re.Match[str]) -> str:
        page = _PAGE.fullmatch(link[2])
        return link[1] if page is None else f"{link[1]} (`regimport help {page[1]}`)"

    return _LINK.sub(name_topic, page)


def _show(page: str) -> None:
    """Print a page: rendered on a terminal, as it is written into a pipe."""
    if sys.stdout is None or not sys.stdout.isatty():
        print(page, end="")
        return
    from rich.console import Console

    from regimport.cli.pages import Page

    Console().print(Page(page))


def _show_command(context: typer.Context, words: list[str], pages: Mapping[str, str]) -> None:
    """Print the help of a command; raise `InvalidOptions` if there is none of that name."""
    from regimport.cli.commands import add_commands

    root = context.find_root()
    app = typer.Typer(context_settings=dict(root.command.context_settings))
    # Without a callback, Typer makes the only command of a program the program itself.
    app.callback()(lambda: None)
    add_commands(app, words[0])
    command: Any = typer.main.get_command(app)
    if words[0] not in command.commands:
        raise _unknown(" ".join(words), pages, command.commands)
    command.main(args=[*words, "--help"], prog_name=root.info_name, standalone_mode=False)


def _unknown(topic: str, pages: Mapping[str, str], commands: Iterable[str]) -> InvalidOptions:
    """Return the error that says where to look instead."""
    from difflib import get_close_matches

    close = get_close_matches(topic, [*pages, *commands], n=1)
    told_of = [name for name, text in pages.items() if topic in text.lower()]
    message = f"there is no help on {topic!r}"
    if close:
        message += f"; did you mean `{close[0]}`?"
    elif answer := answer_to(topic):
        message += f": {answer}"
    elif told_of:
        told_of.sort(key=lambda name: -pages[name].lower().count(topic))
        message += f"; these topics mention it: {', '.join(told_of[:4])}"
    return InvalidOptions(message, hint="`regimport help` lists the topics")
