"""`regimport tags`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeAlias

import typer

from regimport.cli import params, settings
from regimport.cli.connections import ConnectionOptions, RegistryMirror
from regimport.cli.credentials import CredentialOptions
from regimport.cli.printer import Printer
from regimport.cli.timeouts import DeadlineOptions

__all__ = ["Exclude", "Match", "tags"]


class Order(StrEnum):
    """How tags are sorted."""

    NAME = "name"
    VERSION = "version"


RepositoryArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="REPOSITORY",
        help="[REGISTRY/]REPOSITORY, oci:DIRECTORY, oci-archive:FILE or docker-archive:FILE.",
        show_default=False,
    ),
]
Match: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--match",
        metavar="GLOB",
        help="Only tags that match this pattern, such as 'v1.*'; repeatable.",
        show_default=False,
    ),
]
Exclude: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="GLOB",
        help="No tags that match this pattern, such as '*-rc*'; repeatable.",
        show_default=False,
    ),
]
Sort: TypeAlias = Annotated[
    Order | None,
    typer.Option(
        "--sort",
        help="By name, or by version, the lowest first. Default: the registry's order.",
        show_default=False,
    ),
]
Newest: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--newest",
        metavar="N",
        min=1,
        help="Only the N highest versions, sorted by version; no tags that are not versions.",
        show_default=False,
    ),
]


def tags(
    repository: RepositoryArgument,
    *,
    match: Match = None,
    exclude: Exclude = None,
    sort: Sort = None,
    newest: Newest = None,
    credentials: CredentialOptions,
    connections: ConnectionOptions,
    time: DeadlineOptions,
    registry_mirror: RegistryMirror = None,
    output: params.Output = params.OutputKind.TEXT,
    verbosity: params.VerbosityOptions,
) -> None:
    """List the tags of a repository: all of them, or those that match.

    Example: regimport tags docker.io/library/hello-world

    Example: regimport tags docker.io/library/python --match '3.*-slim' --newest 3
    """
    from regimport import listings
    from regimport.cli.progress import reporter_for

    printer = Printer(*verbosity, params.ProgressKind.NONE)
    options = time.apply(
        settings.registry_options(
            printer,
            connections.shared,
            authfile=credentials.authfile,
            source=connections.tls,
            registry_mirror=registry_mirror,
        )
    )
    credential = credentials.read(repository)
    with reporter_for(printer) as reporter:
        found = listings.tags(
            repository,
            match=match or (),
            exclude=exclude or (),
            sort=None if sort is None else sort.value,
            newest=newest,
            options=options,
            credential=credential,
            reporter=reporter,
        )
    if output is params.OutputKind.JSON:
        from regimport.cli.documents.tags import TagsDocument

        printer.document(TagsDocument.of(repository, found).model_dump_json(indent=2))
        return
    for tag in found:
        printer.result(tag)
