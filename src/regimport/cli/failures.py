"""How a command that was asked for JSON ends: with its error as JSON, and a last event."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any

import typer

from regimport.cli import signals
from regimport.cli.params import OutputKind, ProgressKind
from regimport.cli.printer import Printer
from regimport.cli.usage import Command

if TYPE_CHECKING:
    from regimport.errors import RegimportError

__all__ = ["JsonCommand", "bug", "with_json_errors"]


class JsonCommand(Command):
    """A command whose usage errors are JSON too, if its arguments ask for JSON."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments."""
        asked = {
            "output": _asked(args, "--output", "-o") or _asked(args, "--format"),
            "progress": _asked(args, "--progress"),
        }
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if getattr(error, "exit_code", None) != 2 or not any(asked.values()):
                raise
            from regimport.errors import InvalidOptions

            message = (
                str(error.format_message()) if hasattr(error, "format_message") else str(error)
            )
            _Ending(self.name or "", asked).end(InvalidOptions(message))
            raise


def with_json_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Return `command`, which prints its errors as JSON too if its options ask for JSON."""

    @wraps(command)
    def run(**values: object) -> None:
        ending = _Ending(command.__name__, values)
        if ending.is_json:
            signals.report_with(ending.interrupted)
        try:
            command(**values)
        except Exception as error:
            ending.end(error)
            raise
        ending.end(None)

    return run


def bug(error: Exception) -> RegimportError:
    """Return the error that says that `error` is a fault of this program."""
    from regimport.errors import RegimportError

    found = RegimportError(
        f"this is a bug in regimport: {type(error).__name__}: {error}",
        hint="run it again with -vv, and report the bug with what it prints",
    )
    found.__cause__ = error
    return found


class _Ending:
    """Prints how a command ended, as its options ask for: `output`, `format`, `progress`.

    With `--progress json` nobody else prints to standard error: errors become exit codes here.
    """

    def __init__(self, command: str, options: Mapping[str, object]) -> None:
        several = any(options.get(name) for name in ("from_file", "all_tags", "tags"))
        self._command = "copy several" if command == "copy" and several else command
        self._document = "json" in (options.get("output"), options.get("format"))
        self._events = options.get("progress") == ProgressKind.JSON
        verbose = options.get("verbose")
        self._traced = isinstance(verbose, int) and verbose > 1
        self._started = time.monotonic()
        self._over = False

    @property
    def is_json(self) -> bool:
        """Whether anything is to be JSON."""
        return self._document or self._events

    def interrupted(self, number: int) -> bool:
        """Print how a program ends that a signal interrupts; return whether events say so."""
        from regimport.errors import Interrupted

        if not self._over:
            with suppress(typer.Exit):
                self.end(Interrupted(number))
        if sys.stdout is not None:
            sys.stdout.flush()
        return self._events

    def end(self, error: Exception | None) -> None:
        """Print what is left to print; raise `typer.Exit` where `error` is not for anybody else."""
        self._over = True
        if self._events:
            from regimport.cli.documents.events import finished

            code = self._ended(error)
            duration = time.monotonic() - self._started
            Printer(progress=ProgressKind.JSON).event(finished(code, duration))
            raise typer.Exit(code) from error
        if self._document and error is not None and not isinstance(error, typer.Exit):
            self._print_document(_as_ours(error))

    def _ended(self, error: Exception | None) -> int:
        """Print the error as an event, and return the exit code."""
        if isinstance(error, typer.Exit):
            return int(error.exit_code)
        if error is None:
            # What cannot be written is an error before the last event, not after it.
            try:
                sys.stdout.flush()
            except OSError as unwritten:
                error = unwritten
            else:
                return 0
        if isinstance(error, OSError):
            sys.stdout = None  # the rest of its buffer cannot be written either
        failure = _as_ours(error)
        printer = Printer(progress=ProgressKind.JSON)
        if self._traced:
            printer.trace(failure)
        if self._document and sys.stdout is not None:
            self._print_document(failure)
        printer.error(failure)
        return failure.exit_code

    def _print_document(self, error: RegimportError) -> None:
        from regimport.cli.documents.failure import document_of_failure

        with suppress(OSError):
            document = document_of_failure(self._command, error)
            Printer().document(document.model_dump_json(indent=2))


def _as_ours(error: Exception) -> RegimportError:
    from regimport.errors import RegimportError
    from regimport.redact import reason_of

    if isinstance(error, RegimportError):
        return error
    if isinstance(error, OSError):
        return RegimportError(f"the output could not be written: {reason_of(error)}")
    return bug(error)


def _asked(arguments: Sequence[str], *names: str) -> str | None:
    """Return `json` if the arguments, which need not be valid, give that to an option."""
    for position, argument in enumerate(arguments):
        value = arguments[position + 1] if position + 1 < len(arguments) else ""
        for name in names:
            joined = f"{name}=json" if name.startswith("--") else f"{name}json"
            if argument == joined or (argument == name and value == "json"):
                return str(OutputKind.JSON)
    return None
