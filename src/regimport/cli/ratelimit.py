"""`regimport ratelimit`."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from regimport.cli import connections, params, settings
from regimport.cli.printer import Printer

__all__ = ["ratelimit"]

PlaceArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="[REGISTRY[/REPOSITORY:TAG]]",
        help="The registry, and an image there to ask about; Docker Hub has one for this purpose.",
    ),
]


def ratelimit(
    registry: PlaceArgument = "docker.io",
    username: params.Username = None,
    password_stdin: params.PasswordStdin = False,
    authfile: params.Authfile = None,
    plain_http: params.PlainHttp = None,
    ca_file: connections.CaFile = None,
    cert: connections.Cert = None,
    key: connections.Key = None,
    insecure: connections.Insecure = None,
    resolve: connections.Resolve = None,
    output: params.Output = params.OutputKind.TEXT,
    quiet: params.Quiet = False,
    verbose: params.Verbose = 0,
) -> None:
    """Show how many pulls a registry still allows, to whom, and in which time; it costs none.

    Example: regimport ratelimit
    """
    from regimport import accounts  # noqa: PLC0415 - --help needs none of it
    from regimport.cli.progress import reporter_for  # noqa: PLC0415

    printer = Printer(quiet, verbose, params.ProgressKind.NONE)
    network = connections.network_of(
        printer, source=(ca_file, cert, key), insecure=insecure, resolve=resolve
    )
    (credential,) = settings.credentials_of(("", username, password_stdin))
    with reporter_for(printer) as reporter:
        host, found = accounts.rate_limit(
            registry,
            options=settings.read_options(plain_http, authfile, network),
            credential=credential,
            reporter=reporter,
        )
    if output is params.OutputKind.JSON:
        from regimport.cli.documents.ratelimit import RateLimitAnswer  # noqa: PLC0415 - pydantic is slow

        printer.document(RateLimitAnswer.of(host, found).model_dump_json(indent=2))
    elif found is None:
        printer.result(f"{host} tells of no limit")
    else:
        printer.result(f"{host}: {found}")
