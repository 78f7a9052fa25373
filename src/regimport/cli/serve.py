"""`regimport serve`."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from regimport.cli import params
from regimport.cli.printer import Printer
from regimport.errors import UsageError
from regimport.models.reference import is_loopback

__all__ = ["serve"]

DirectoryArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="DIR",
        help="The OCI image layout to serve and to take into; made if missing. Without it, a "
        "temporary one.",
        show_default=False,
    ),
]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")]


def serve(
    directory: DirectoryArgument = None,
    host: Host = "127.0.0.1",
    port: Port = 5000,
    quiet: params.Quiet = False,
) -> None:
    """Run a small registry over an OCI image layout, for tests and hand-overs.

    It has no users and no passwords, so it listens on this machine alone unless told otherwise.

    Example: regimport serve ./images --port 5000
    """
    import tempfile  # noqa: PLC0415 - --help needs none of it
    from contextlib import ExitStack  # noqa: PLC0415

    try:
        from regimport.server.app import create_app  # noqa: PLC0415
        from regimport.server.run import address, listen  # noqa: PLC0415
        from regimport.server.run import serve as run  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            "the embedded registry is not installed", hint="pip install 'regimport[serve]'"
        ) from error
    printer = Printer(quiet)
    if not is_loopback(host):
        printer.warning(f"anybody who reaches {host} can read and write this registry")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    with ExitStack() as stack:
        root = directory or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        app = create_app(root)
        listener = stack.enter_context(listen(host, port))
        printer.result(f"listening on http://{address(listener)}")
        run(app, listener)
