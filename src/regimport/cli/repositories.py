"""`regimport repositories`."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from regimport.cli import params, settings
from regimport.cli.connections import ConnectionOptions
from regimport.cli.credentials import CredentialOptions
from regimport.cli.printer import Printer
from regimport.cli.timeouts import DeadlineOptions

__all__ = ["repositories"]

RegistryArgument: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="REGISTRY", help="HOST[:PORT] of a registry.", show_default=False),
]


def repositories(
    registry: RegistryArgument,
    *,
    credentials: CredentialOptions,
    connections: ConnectionOptions,
    time: DeadlineOptions,
    output: params.Output = params.OutputKind.TEXT,
    verbosity: params.VerbosityOptions,
) -> None:
    """List the repositories of a registry, where it has such a list (its catalog).

    Docker Hub and GitHub have none, and others show it to administrators alone.

    Example: regimport repositories myregistry.example
    """
    from regimport import listings
    from regimport.cli.progress import reporter_for

    printer = Printer(*verbosity, params.ProgressKind.NONE)
    options = time.apply(
        settings.registry_options(
            printer, connections.shared, authfile=credentials.authfile, source=connections.tls
        )
    )
    credential = credentials.read()
    with reporter_for(printer) as reporter:
        found = listings.repositories(
            registry, options=options, credential=credential, reporter=reporter
        )
    if output is params.OutputKind.JSON:
        from regimport.cli.documents.repositories import RepositoriesDocument

        document = RepositoriesDocument.of(registry, found)
        printer.document(document.model_dump_json(indent=2))
        return
    for repository in found:
        printer.result(repository)
