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
ServerNames = Annotated[
    list[str] | None,
    typer.Option(
        "--server-name",
        metavar="NAME",
        help="A name under which clients reach it, besides its address and localhost; repeatable.",
        show_default=False,
    ),
]
Htpasswd = Annotated[
    Path | None,
    typer.Option(
        "--htpasswd",
        metavar="FILE",
        help="Let in only the users in this file of `htpasswd -B`.",
        show_default=False,
    ),
]
TlsCert = Annotated[
    Path | None,
    typer.Option(
        "--tls-cert",
        metavar="FILE",
        help="Speak TLS, with this certificate chain (PEM).",
        show_default=False,
    ),
]
TlsKey = Annotated[
    Path | None,
    typer.Option(
        "--tls-key", metavar="FILE", help="The key of the certificate (PEM).", show_default=False
    ),
]
Unprotected = Annotated[
    bool,
    typer.Option(
        "--unprotected",
        help="Listen beyond loopback without passwords, or without TLS.",
        show_default=False,
    ),
]


def serve(
    directory: Directory = None,
    host: Host = "127.0.0.1",
    port: Port = 5000,
    server_name: ServerNames = None,
    htpasswd: Htpasswd = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    unprotected: Unprotected = False,
    verbose: params.Verbose = 0,
) -> None:
    """Serve a folder as a registry, for tests and for handing over images.

    It prints a line when it is ready, and runs until Ctrl-C. Beyond loopback it needs --htpasswd
    and TLS.

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
    if (tls_cert is None) != (tls_key is None):
        raise UsageError("--tls-cert and --tls-key belong together", hint="give both, or neither")
    tls = (tls_cert, tls_key) if tls_cert and tls_key else None
    _check_protected(host, printer, htpasswd=bool(htpasswd), tls=bool(tls), unprotected=unprotected)
    _set_up_log(verbose=bool(verbose))
    with ExitStack() as stack:
        stack.enter_context(INTERRUPTS.working(stop.set))
        if directory is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="regimport-")))
        running = stack.enter_context(
            serving(
                directory,
                host=host,
                port=port,
                access_log=bool(verbose),
                names=server_name or (),
                htpasswd=htpasswd,
                tls=tls,
            )
        )
        printer.result(f"listening on {running.url}")
        stop.wait()
    raise Interrupted


def _check_protected(
    host: str, printer: Printer, *, htpasswd: bool, tls: bool, unprotected: bool
) -> None:
    """Raise `UsageError` if others could use the registry, or read passwords on their way.

    With `unprotected` this is a warning.
    """
    if is_loopback_host(host.lower()) or (htpasswd and tls):
        return
    if htpasswd:
        danger = f"passwords are sent to {host} in clear text"
    else:
        danger = f"anyone who can reach {host} can read and write these images"
    if not unprotected:
        raise UsageError(
            danger,
            hint="protect them with --htpasswd, --tls-cert and --tls-key, or say --unprotected",
        )
    printer.warning(danger)


def _set_up_log(*, verbose: bool) -> None:
    """Log each request on standard error if `verbose`, otherwise only errors of the server."""
    import logging

    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    logging.getLogger("uvicorn").setLevel(logging.INFO if verbose else logging.ERROR)
