"""Print the result on standard output, and everything else on standard error."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass

from regimport.cli.params import ProgressKind
from regimport.cli.wording import with_options
from regimport.errors import RegimportError, RegistryError, Unreachable
from regimport.redact import safe_text

__all__ = ["Printer", "human_size"]

_RED, _YELLOW, _CYAN, _RESET = "\x1b[1;31m", "\x1b[33m", "\x1b[36m", "\x1b[0m"
_LINE = 4096


@dataclass(frozen=True, slots=True)
class Printer:
    """Prints as the options and the terminal ask for; no command looks at a terminal itself."""

    quiet: bool = False
    verbose: int = 0
    progress: ProgressKind = ProgressKind.AUTO

    def __post_init__(self) -> None:
        if self.verbose > 1:
            logging.basicConfig(stream=sys.stderr, format="%(name)s: %(message)s")
            logging.getLogger("regimport").setLevel(logging.DEBUG)

    @property
    def live(self) -> bool:
        """Whether progress is to be drawn as bars."""
        if self.progress is ProgressKind.AUTO:
            return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        return self.progress is ProgressKind.TTY

    def result(self, line: str) -> None:
        """Print a line of the result."""
        print(_clean(line), flush=True)

    def document(self, text: str) -> None:
        """Print JSON, with control characters written as escapes of JSON."""
        import json

        print(
            "".join(
                character
                if character.isprintable() or character == "\n"
                else json.dumps(character)[1:-1]
                for character in text
            )
        )

    def note(self, line: str) -> None:
        """Print a note, unless --quiet is given."""
        if not self.quiet:
            print(_clean(line), file=sys.stderr)

    def warning(self, line: str) -> None:
        """Print a warning, unless --quiet is given."""
        if not self.quiet:
            print(f"{self._paint(_YELLOW, 'warning:')} {_clean(line)}", file=sys.stderr)

    def error(self, error: RegimportError) -> None:
        """Print an error as one block: what happened, at which registry, and what to do."""
        first, *rest = with_options(error.message).splitlines()
        lines = [f"{self._paint(_RED, 'error:')} {_clean(first)}", *map(_clean, rest)]
        if error.registry is not None:
            place = "/".join(part for part in (error.registry, error.repository) if part)
            where = f"at the {error.side}" if error.side else "at"
            lines.append(_clean(f"  {where}: {place}"))
        if isinstance(error, Unreachable) and error.attempts > 1:
            lines.append(f"  attempts: {error.attempts}")
        if isinstance(error, RegistryError) and error.codes:
            lines.append(_clean(f"  error code of the registry: {', '.join(error.codes)}"))
        if error.hint:
            lines.append(f"  {self._paint(_CYAN, 'hint:')} {_clean(with_options(error.hint))}")
        print("\n".join(lines), file=sys.stderr)

    def trace(self, error: BaseException) -> None:
        """Print the traceback of an error."""
        import traceback

        for part in traceback.format_exception(error):
            for line in part.rstrip("\n").split("\n"):
                print(_clean(line), file=sys.stderr)

    def _paint(self, colour: str, text: str) -> str:
        plain = os.environ.get("NO_COLOR") or not sys.stderr.isatty()
        return text if plain else f"{colour}{text}{_RESET}"


def human_size(size: float) -> str:
    """Return a number of bytes in a unit that fits it: `4.4 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def _clean(line: str) -> str:
    """Return a line without control characters, keeping its indentation.

    Text of a registry is in it, which must not act on the terminal.
    """
    indent = len(line) - len(line.lstrip(" "))
    return " " * indent + safe_text(line, _LINE)
