"""Print the result on standard output, and everything else on standard error."""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO

from regimport.cli.params import ProgressKind
from regimport.cli.wording import with_options, without_blob_urls
from regimport.errors import RegimportError, RegistryError, Unreachable
from regimport.redact import printable
from regimport.secrets_sent import SENT
from regimport.values import dataclass

__all__ = ["Printer", "counted", "human_size"]

_RED, _YELLOW, _CYAN, _RESET = "\x1b[1;31m", "\x1b[33m", "\x1b[36m", "\x1b[0m"
_LINE = 4096


@dataclass(frozen=True, slots=True)
class Printer:
    """Prints as the options and the terminal ask for; no command looks at a terminal itself."""

    quiet: bool = False
    verbose: int = 0
    progress: ProgressKind = ProgressKind.AUTO
    # Where standard output carries an archive, the result goes to standard error.
    aside: bool = False

    def __post_init__(self) -> None:
        if self.verbose > 1:
            handler = _JsonHandler(self) if self._as_json else logging.StreamHandler(sys.stderr)
            logging.basicConfig(handlers=[handler], format="%(name)s: %(message)s")
            logging.getLogger("regimport").setLevel(logging.DEBUG)

    @property
    def _as_json(self) -> bool:
        """Whether standard error is JSON alone."""
        return self.progress is ProgressKind.JSON

    @property
    def _results(self) -> TextIO | None:
        """Where results are printed; None is standard output."""
        return sys.stderr if self.aside else None

    @property
    def live(self) -> bool:
        """Whether progress is to be drawn as bars."""
        if self.quiet or os.environ.get("TERM") == "dumb":
            return False
        if self.progress is ProgressKind.AUTO:
            return sys.stderr.isatty()
        return self.progress is ProgressKind.TTY

    def result(self, line: str) -> None:
        """Print a line of the result."""
        print(_clean(line), file=self._results, flush=True)

    def document(self, text: str) -> None:
        """Print JSON, with control characters written as escapes of JSON."""
        print(_escaped(text), file=self._results)

    def raw(self, content: bytes) -> None:
        """Print bytes of a registry: exactly into a pipe or a file, and so that a terminal is safe.

        What could act on the terminal, or turn the order of a line round, is escaped there.
        """
        if sys.stdout.isatty():
            print(_escaped(content.decode("utf-8", "backslashreplace")))
        else:
            sys.stdout.buffer.write(content)

    def event(self, line: str) -> None:
        """Print a line of JSON on standard error."""
        _print_line(line)
        sys.stderr.flush()

    def note(self, line: str) -> None:
        """Print a note, unless --quiet is given; events say more where they are wanted."""
        if not self.quiet and not self._as_json:
            _print_line(_clean(line))

    def warning(self, line: str) -> None:
        """Print a warning, unless --quiet is given."""
        if self._as_json:
            from regimport.cli.documents.events import line_of
            from regimport.events import Warned

            self.event(line_of(Warned(_clean(line))))
        elif not self.quiet:
            _print_line(f"{self._paint(_YELLOW, 'warning:')} {_clean(line)}")

    def error(self, error: RegimportError) -> None:
        """Print an error as one block: what happened, at which registry, and what to do."""
        if self._as_json:
            from regimport.cli.documents.events import failed

            self.event(failed(error))
            return
        message = with_options(error.message)
        first, *rest = (message if self.verbose else without_blob_urls(message)).splitlines()
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

        if self._as_json:
            from regimport.cli.documents.events import logged

            text = "".join(traceback.format_exception(error))
            self.event(logged("traceback", SENT.removed_from(text, words=False)))
            return
        for part in traceback.format_exception(error):
            for line in part.rstrip("\n").split("\n"):
                print(_clean(SENT.removed_from(line, words=False)), file=sys.stderr)

    def _paint(self, colour: str, text: str) -> str:
        unwanted = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return text if unwanted or not sys.stderr.isatty() else f"{colour}{text}{_RESET}"


class _JsonHandler(logging.Handler):
    """Prints the records of the log as events."""

    def __init__(self, printer: Printer) -> None:
        super().__init__()
        self._printer = printer

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        from regimport.cli.documents.events import logged

        self._printer.event(logged(record.name, record.getMessage()))


def _print_line(line: str) -> None:
    """Print in one piece, so that lines of several threads do not mix."""
    print(f"{line}\n", end="", file=sys.stderr)


def _escaped(text: str) -> str:
    """Return a text with what is not printable written as JSON does; lines and tabs stay."""
    import json

    return "".join(
        character if character.isprintable() or character in "\n\t" else json.dumps(character)[1:-1]
        for character in text
    )


def human_size(size: float) -> str:
    """Return a number of bytes in a unit that fits it: `4.4 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def counted(number: int, noun: str) -> str:
    """Return a number of things: `1 blob`, `2 blobs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _clean(line: str) -> str:
    """Return a line without control characters, keeping its indentation.

    Text of a registry is in it, which must not act on the terminal.
    """
    indent = len(line) - len(line.lstrip(" "))
    return " " * indent + printable(line, _LINE)
