"""The program: its commands, the one place where errors become exit codes, and signals."""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from regimport._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from regimport.errors import RegimportError

__all__ = ["main"]

# What only a file gives that cannot be written; nothing that a registry does looks like it.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def main() -> NoReturn:
    """Run the command line, and exit with its code."""
    if sys.argv[1:] == ["--version"]:
        # Answered before anything is imported: scripts ask this first.
        _leave(_run(lambda: print(f"regimport {__version__}")))
    # Loading modules makes objects by the ten thousand, none of them garbage: look less often.
    gc.set_threshold(50_000)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    _leave(_run(_program))


def _run(program: Callable[[], None]) -> int:
    try:
        program()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BrokenPipeError:
        # Whoever read our output has enough of it.
        return 1
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            sys.stdout = None  # what it still holds has no place to go
            return _unwritten(error)
        return _fail(error)
    return 0


def _leave(code: int) -> NoReturn:
    """End the process at once: taking the interpreter apart costs 30 ms and gives nothing."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except BrokenPipeError:
            code = code or 1
        except OSError as error:
            code = code or _unwritten(error)
    os._exit(code)


def _unwritten(error: OSError) -> int:
    with suppress(OSError):
        print(f"error: the output could not be written: {error.strerror}", file=sys.stderr)
    return 1


def _program() -> None:
    import typer

    from regimport.cli.commands import add_commands

    app = typer.Typer(
        name="regimport",
        help="Copy container images from registry to registry: no daemon, no disk, digests "
        "unchanged.\n\nExample: regimport copy hello-world myregistry.example/hello-world",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def version(value: bool) -> None:
        if value:
            print(f"regimport {__version__}")
            raise typer.Exit

    @app.callback()
    def options(
        _version: bool = typer.Option(
            False, "--version", callback=version, is_eager=True, help="Print the version."
        ),
    ) -> None:
        """Take the options that stand before a command."""

    add_commands(app, sys.argv[1] if len(sys.argv) > 1 else "")
    app()


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    from regimport.errors import Interrupted

    # A second signal, whichever, ends the program as the system does by default.
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_DFL)
    raise Interrupted(number)


def _fail(error: Exception) -> int:
    from regimport.cli.printer import Printer
    from regimport.errors import RegimportError

    if not isinstance(error, RegimportError):
        # A defect of ours: say so, and spare the user the traceback.
        error = _defect(error)
    with suppress(OSError):  # the code says it still, where nobody can read it
        if _wants_traceback():
            Printer().trace(error)
        Printer().error(error)
    return error.exit_code


def _defect(error: Exception) -> RegimportError:
    from regimport.errors import RegimportError

    defect = RegimportError(
        f"something in regimport itself went wrong: {type(error).__name__}: {error}",
        hint="run it again with -vv and report what it prints",
    )
    defect.__cause__ = error
    return defect


def _wants_traceback() -> bool:
    """Tell whether -vv was given; asked when parsing is long past."""
    return (
        any(
            argument.startswith("-v") and argument.count("v") > 1 and argument.strip("-v") == ""
            for argument in sys.argv[1:]
        )
        or sys.argv[1:].count("-v") > 1
    )
