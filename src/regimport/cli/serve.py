"""`regimport serve`."""

from __future__ import annotations

import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from regimport.cli import params
from regimport.cli.printer import Printer
from regimport.errors import Interrupted, UsageError
from regimport.hosts import is_loopback_host
from regimport.installation import install_command
from regimport.interrupts import INTERRUPTS

__all__ = ["serve"]

Directory = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DIRECTORY]",
        help="An OCI image layout, or a new folder for one. Default: a temporary one, removed at "
        "the end.",
        show_default=False,
    ),
]
Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="The address to listen on.")]
Port = Annotated[
    int, typer.Option("--port", "-p", min=0, max=65535, help="The port; 0 is any free one.")
]


def serve(
    directory: Directory = None,
    host: Host = "127.0.0.1",
    port: Port = 5000,
    verbose: params.Verbose = 0,
) -> None:
    """Serve a folder as a registry, for tests and for handing over images.

    There is no access control. It prints a line when it is ready, and runs until Ctrl-C.

    Example: regimport serve ./images --port 0
    """
    try:
        from regimport.server.run import serving
    except ImportError as error:
        raise UsageError(
            f"`regimport serve` needs the package {error.name}, which is not installed",
            hint=install_command("serve"),
        ) from error

    printer = Printer(verbose=verbose)
    stop = threading.Event()
    if not is_loopback_host(host.lower()):
        printer.warning(f"anyone who can reach {host} can read and write these images")
    _set_up_log(verbose=bool(verbose))
    with ExitStack() as stack:
        stack.enter_context(INTERRUPTS.working(stop.set))
        if directory is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="regimport-")))
        running = stack.enter_context(
            serving(directory, host=host, port=port, access_log=bool(verbose))
        )
        printer.result(f"listening on {running.url}")
        stop.wait()
    raise Interrupted


def _set_up_log(*, verbose: bool) -> None:
    """Log each request on standard error if `verbose`, otherwise only errors of the server."""
    import logging

    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    logging.getLogger("uvicorn").setLevel(logging.INFO if verbose else logging.ERROR)
