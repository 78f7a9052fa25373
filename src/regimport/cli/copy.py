"""`regimport copy`."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from regimport.cli import params, settings
from regimport.cli.connections import RegistryMirror, SourceAndTargetConnectionOptions
from regimport.cli.credentials import SourceAndTargetCredentialOptions
from regimport.cli.limits import LimitOptions
from regimport.cli.printer import Printer
from regimport.cli.server_side import ServerSideOptions
from regimport.cli.timeouts import TimeOptions

__all__ = ["copy"]

TargetArguments: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="TARGET...",
        help="Where to copy it: like SOURCE. Without a tag, the source's tag is used. A target "
        "that ends in / keeps the source's repository under it.",
        show_default=False,
    ),
]
NoClobber: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--no-clobber",
        "-n",
        help="Do not overwrite a target tag that has another image: exit code 9.",
    ),
]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be copied, and write nothing.")
]
Verify: TypeAlias = Annotated[
    bool,
    typer.Option("--verify", help="Read back what was written, and hash it: exit code 7 or 5."),
]
CreateRepository: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--create-repository",
        help="Create a missing repository at an ECR target; other registries do it themselves.",
        rich_help_panel="Access",
    ),
]
SourceRegistry: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--source-registry",
        "-r",
        metavar="REGISTRY",
        help="Where SOURCE is, if it names no registry: the name, login server or resource ID of "
        "an Azure registry, as `az acr import` takes it.",
        rich_help_panel="Access",
        show_default=False,
    ),
]
Format: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="TEMPLATE",
        help="Print a template for each target instead: {{.Pinned}}, {{.Digest}}, {{.Tag}}, …; "
        "json is --output json.",
        rich_help_panel=params.OUTPUT,
        show_default=False,
    ),
]


def copy(
    source: params.SourceArgument,
    targets: TargetArguments,
    *,
    platform: params.Platforms = None,
    no_clobber: NoClobber = False,
    dry_run: DryRun = False,
    verify: Verify = False,
    output: params.Output = params.OutputKind.TEXT,
    format: Format = None,  # noqa: A002 - the option's name
    progress: params.Progress = params.ProgressKind.AUTO,
    verbosity: params.VerbosityOptions,
    source_registry: SourceRegistry = None,
    create_repository: CreateRepository = False,
    credentials: SourceAndTargetCredentialOptions,
    connections: SourceAndTargetConnectionOptions,
    registry_mirror: RegistryMirror = None,
    limits: LimitOptions,
    jobs: params.Jobs = None,
    time: TimeOptions,
    server_side: ServerSideOptions,
) -> None:
    """Copy an image from one registry to others: every platform, digests unchanged.

    Manifests and blobs stream from registry to registry. What a target already has is not
    sent again. Its tag is set last, when everything is there.

    Example: regimport copy docker.io/library/hello-world:latest myregistry.example/hello-world
    """
    from dataclasses import replace

    from regimport.cli.progress import reporter_for
    from regimport.cli.show import check_template, show_report
    from regimport.models.on_disk import is_standard_stream

    printer = Printer(*verbosity, progress, aside=any(map(is_standard_stream, targets)))
    if format == params.OutputKind.JSON:
        output = params.OutputKind.JSON
    elif format is not None:
        check_template(format, output)
    options = replace(
        settings.registry_options(
            printer,
            connections.shared,
            authfile=credentials.authfile,
            source=connections.source,
            target=connections.target,
            registry_mirror=registry_mirror,
        ),
        limits=limits.parse(),
        jobs=jobs,
        no_clobber=no_clobber,
        dry_run=dry_run,
        verify=verify,
        platforms=settings.parse_platforms(platform),
        create_repository=create_repository,
    )
    options = time.apply(options)
    if source_registry is not None:
        from regimport.clouds.names import cloud_of, source_at

        source = source_at(source_registry, source, cloud_of(targets))
    copying = server_side.copying(source_registry)
    source_credential, target_credential = credentials.read()
    with reporter_for(printer) as reporter:
        report = copying(
            source,
            *targets,
            check=False,
            options=options,
            source_credential=source_credential,
            target_credential=target_credential,
            reporter=reporter,
        )
    show_report(printer, report, output, format)
    raise typer.Exit(report.exit_code)
