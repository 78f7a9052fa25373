"""`regimport tags`."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from regimport.cli import params, settings
from regimport.cli.connections import ConnectionOptions, RegistryMirror
from regimport.cli.credentials import CredentialOptions
from regimport.cli.printer import Printer

__all__ = ["tags"]

RepositoryArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="REPOSITORY",
        help="[REGISTRY/]REPOSITORY, oci:DIRECTORY, oci-archive:FILE or docker-archive:FILE.",
        show_default=False,
    ),
]


def tags(
    repository: RepositoryArgument,
    *,
    credentials: CredentialOptions,
    connections: ConnectionOptions,
    registry_mirror: RegistryMirror = None,
    output: params.Output = params.OutputKind.TEXT,
    verbosity: params.VerbosityOptions,
) -> None:
    """List all tags of a repository.

    Example: regimport tags docker.io/library/hello-world
    """
    from regimport import api
    from regimport.cli.progress import reporter_for

    printer = Printer(*verbosity, params.ProgressKind.NONE)
    options = settings.registry_options(
        printer,
        connections.shared,
        authfile=credentials.authfile,
        source=connections.tls,
        registry_mirror=registry_mirror,
    )
    credential = credentials.read()
    with reporter_for(printer) as reporter:
        found = api.tags(repository, options=options, credential=credential, reporter=reporter)
    if output is params.OutputKind.JSON:
        from regimport.cli.documents.tags import TagsDocument

        printer.document(TagsDocument.of(repository, found).model_dump_json(indent=2))
        return
    for tag in found:
        printer.result(tag)
