"""`regimport ratelimit`."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from regimport.cli import params, settings
from regimport.cli.connections import ConnectionOptions
from regimport.cli.credentials import CredentialOptions
from regimport.cli.printer import Printer

__all__ = ["ratelimit"]

PlaceArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="[REGISTRY[/REPOSITORY:TAG]]",
        help="The registry, and an image to ask with; Docker Hub has an image for this purpose.",
    ),
]


def ratelimit(
    registry: PlaceArgument = "docker.io",
    *,
    credentials: CredentialOptions,
    connections: ConnectionOptions,
    output: params.Output = params.OutputKind.TEXT,
    verbosity: params.VerbosityOptions,
) -> None:
    """Show how many pulls a registry still allows, for whom, and in what time. It costs no pull.

    Example: regimport ratelimit
    """
    from regimport import accounts
    from regimport.cli.progress import reporter_for

    printer = Printer(*verbosity, params.ProgressKind.NONE)
    options = settings.registry_options(
        printer, connections.shared, authfile=credentials.authfile, source=connections.tls
    )
    credential = credentials.read()
    with reporter_for(printer) as reporter:
        host, found = accounts.rate_limit(
            registry, options=options, credential=credential, reporter=reporter
        )
    if output is params.OutputKind.JSON:
        from regimport.cli.documents.ratelimit import RateLimitAnswer

        printer.document(RateLimitAnswer.of(host, found).model_dump_json(indent=2))
    elif found is None:
        printer.result(f"{host} reports no pull limit")
    else:
        printer.result(f"{host}: {found}")
