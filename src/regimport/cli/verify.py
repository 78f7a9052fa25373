"""`regimport verify`."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from regimport.cli import params, settings
from regimport.cli.connections import RegistryMirror, SourceAndTargetConnectionOptions
from regimport.cli.credentials import SourceAndTargetCredentialOptions
from regimport.cli.printer import Printer
from regimport.cli.timeouts import TimeOptions

__all__ = ["verify"]

TargetArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="The copy to check: like SOURCE. Without a tag, the source's tag is used.",
        show_default=False,
    ),
]
TargetOnly: TypeAlias = Annotated[
    bool,
    typer.Option("--target-only", help="Read the target alone; ask the source which image it is."),
]


def verify(
    source: params.SourceArgument,
    target: TargetArgument,
    *,
    target_only: TargetOnly = False,
    parts: params.PartOptions,
    output: params.Output = params.OutputKind.TEXT,
    progress: params.Progress = params.ProgressKind.AUTO,
    verbosity: params.VerbosityOptions,
    credentials: SourceAndTargetCredentialOptions,
    connections: SourceAndTargetConnectionOptions,
    registry_mirror: RegistryMirror = None,
    jobs: params.Jobs = None,
    time: TimeOptions,
) -> None:
    """Read an image at both ends, hash every manifest and blob, and list what differs.

    Exit code 0 if nothing differs, 5 if something is missing, 7 if something is different.

    Example: regimport verify docker.io/library/hello-world:latest myregistry.example/hello-world
    """
    from dataclasses import replace

    from regimport import api
    from regimport.cli.progress import reporter_for
    from regimport.cli.show import show_verification

    printer = Printer(*verbosity, progress)
    options = replace(
        settings.registry_options(
            printer,
            connections.shared,
            authfile=credentials.authfile,
            source=connections.source,
            target=connections.target,
            registry_mirror=registry_mirror,
        ),
        jobs=jobs,
        platforms=settings.parse_platforms(parts.platform),
        as_index=parts.as_index,
        attestations=not parts.no_attestations,
    )
    options = time.apply(options)
    source_credential, target_credential = credentials.read(source, target)
    with reporter_for(printer) as reporter:
        found = api.verify(
            source,
            target,
            target_only=target_only,
            options=options,
            source_credential=source_credential,
            target_credential=target_credential,
            reporter=reporter,
        )
    show_verification(printer, found, output)
    raise typer.Exit(found.exit_code)
