"""The program: runs a command, and turns errors into exit codes."""

from __future__ import annotations

import errno
import gc
import sys

from regimport._version import __version__, unsupported_system
from regimport.cli import signals
from regimport.cli.streams import prepare_streams

TYPE_CHECKING = False  # as in `typing`, which takes long to load
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

__all__ = ["main"]

# Errors of writing to a file; nothing that a registry does raises one of them.
_WRITE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def main() -> NoReturn:
    """Run the command line, and exit with its code."""
    if (message := unsupported_system()) is not None:
        print(f"error: {message}", file=sys.stderr)
        sys.exit(2)
    # First, or the pipe of the signals would take the number of a stream that is closed.
    prepare_streams()
    signals.watch_signals()
    if sys.argv[1:] == ["--version"]:
        # Answered before anything is imported, because scripts often ask for it.
        _exit(_run(lambda: print(f"regimport {__version__}")))
    # Loading modules creates tens of thousands of objects, none of them garbage: collect rarely.
    gc.set_threshold(50_000)
    _exit(_run(_program))


def _run(program: Callable[[], None]) -> int:
    try:
        program()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BrokenPipeError:
        # The reader of our output has closed the pipe.
        return 1
    except Exception as error:
        if signals.noted():
            return 1  # and nothing is said but that the program was interrupted
        if isinstance(error, OSError) and error.errno in _WRITE_ERRORS:
            sys.stdout = None  # the rest of its buffer cannot be written either
            return _report_write_error(error)
        return _report(error)
    return 0


def _exit(code: int) -> NoReturn:
    """Flush the output and exit at once: shutting down the interpreter would take 30 ms."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except BrokenPipeError:
            code = code or 1
        except OSError as error:
            code = code or _report_write_error(error)
    signals.exit_with(code)


def _report_write_error(error: OSError) -> int:
    from contextlib import suppress

    from regimport.redact import reason_of

    with suppress(OSError):
        print(f"error: the output could not be written: {reason_of(error)}", file=sys.stderr)
    return 1


def _program() -> None:
    import typer

    from regimport.cli.commands import add_commands

    app = typer.Typer(
        name="regimport",
        help="Copy container images from registry to registry: no daemon, no disk, digests "
        "unchanged.\n\nExample: regimport copy hello-world myregistry.example/hello-world",
        epilog="`regimport help` lists topics to read about: credentials, mirrors, exit codes, …",
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
        """Read the options before the command."""

    add_commands(app, sys.argv[1] if len(sys.argv) > 1 else "")
    # However it was started: `python -m regimport`, or by another program.
    app(prog_name="regimport")


def _report(error: Exception) -> int:
    from contextlib import suppress

    from regimport.cli.printer import Printer
    from regimport.errors import RegimportError

    if isinstance(error, OSError) and error.errno == errno.EMFILE:
        error = RegimportError(
            "too many files are open", hint="raise the limit with `ulimit -n`, or give --jobs 1"
        )
    elif not isinstance(error, RegimportError):
        # A bug in regimport: say so, without a traceback unless -vv is given.
        from regimport.cli.failures import bug

        error = bug(error)
    with suppress(OSError):  # standard error may be closed; the exit code still counts
        verbose = _verbosity()
        if verbose > 1:
            Printer().trace(error)
        Printer(verbose=min(verbose, 1)).error(error)
    return error.exit_code


def _verbosity() -> int:
    """Return how many times -v was given; Typer's own values are gone by the time of an error."""
    given = sys.argv[1:]
    joined = (argument for argument in given if argument.startswith("-v"))
    short = sum(argument.count("v") for argument in joined if argument.strip("-v") == "")
    return short + given.count("--verbose")
