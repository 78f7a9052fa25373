"""`regimport copy`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, NamedTuple, TypeAlias

import typer

from regimport.cli import params, settings
from regimport.cli.connections import RegistryMirror, SourceAndTargetConnectionOptions
from regimport.cli.credentials import SourceAndTargetCredentialOptions
from regimport.cli.limits import LimitOptions
from regimport.cli.printer import Printer
from regimport.cli.server_side import ServerSideOptions
from regimport.cli.timeouts import TimeOptions
from regimport.errors import InvalidOptions

__all__ = ["copy"]

# The panel of the help that these options are shown in.
_SEVERAL = "Several images"

OptionalSource: TypeAlias = Annotated[
    str | None,
    typer.Argument(metavar="SOURCE", help=params.SOURCE_HELP, show_default=False),
]
TargetArguments: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET...",
        help="Where to copy it: like SOURCE. Without a tag, the source's tag is used. A target "
        "that ends in / keeps the source's repository under it.",
        show_default=False,
    ),
]


class ForeignLayersKind(StrEnum):
    """Which foreign layers are copied."""

    AUTO = "auto"
    SKIP = "skip"
    COPY = "copy"


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
Referrers: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--referrers",
        metavar="all|none|TYPE,…",
        help="Copy what belongs to the image, too: all signatures, SBOMs, attestations, or those "
        "of some artifact types. Default: none, and a line tells what is left behind.",
        show_default=False,
    ),
]
ForeignLayers: TypeAlias = Annotated[
    ForeignLayersKind,
    typer.Option(
        "--foreign-layers",
        help="Layers that must not be distributed, such as those of Windows: auto copies what "
        "SOURCE serves, copy fetches the others from their URLs, too.",
    ),
]
Repair: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--repair",
        help="Look at everything that a target has of the image, and send what is missing or "
        "wrong, also where the tag is there already.",
    ),
]
Backup: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--backup",
        metavar="TEMPLATE",
        help="Keep the old image of a tag that moves under another tag, such as '{tag}-{date}'; "
        "also {time}, {digest}.",
        show_default=False,
    ),
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


FromFile: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--from-file",
        metavar="LIST",
        help="Copy the images of a list, several at once: SOURCE TARGET a line, or SOURCE alone "
        "with --target; - is standard input.",
        rich_help_panel=_SEVERAL,
        show_default=False,
    ),
]
Prefix: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="PREFIX",
        help="Where the images of --from-file go: each keeps its repository under PREFIX.",
        rich_help_panel=_SEVERAL,
        show_default=False,
    ),
]
AllTags: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--all-tags",
        help="Copy every tag of the repository SOURCE to the repositories TARGET.",
        rich_help_panel=_SEVERAL,
    ),
]
Tags: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--tags",
        metavar="GLOB",
        help="Copy the tags that match a pattern, such as 'v1.*'; repeatable.",
        rich_help_panel=_SEVERAL,
        show_default=False,
    ),
]
ExcludeTags: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude-tags",
        metavar="GLOB",
        help="With --all-tags or --tags: not those that match this pattern; repeatable.",
        rich_help_panel=_SEVERAL,
        show_default=False,
    ),
]


def _check(
    several: SeveralOptions, source: str | None, targets: list[str] | None, registry: str | None
) -> None:
    """Raise `InvalidOptions` for arguments and options that exclude each other."""
    tags = several.all_tags or several.tags
    if several.from_file is not None:
        if source is not None or targets or tags or several.exclude_tags:
            raise InvalidOptions(
                "--from-file names all images itself", hint="leave the other arguments out"
            )
    elif several.target is not None:
        raise InvalidOptions("--target is for --from-file", hint="name the target after the source")
    elif several.exclude_tags and not tags:
        raise InvalidOptions("--exclude-tags is for --all-tags and --tags", hint="add --all-tags")
    elif tags and (source is None or not targets):
        raise InvalidOptions(
            "the tags need a source and a target",
            hint="regimport copy --all-tags REPOSITORY REPOSITORY...",
        )
    if registry is not None and several != SeveralOptions():
        raise InvalidOptions(
            "--source-registry is for one image", hint="write the sources with their registry"
        )


class SeveralOptions(NamedTuple):
    """Which images to copy, where there are several."""

    from_file: FromFile = None
    target: Prefix = None
    all_tags: AllTags = False
    tags: Tags = None
    exclude_tags: ExcludeTags = None


def copy(
    source: OptionalSource = None,
    targets: TargetArguments = None,
    *,
    parts: params.PartOptions,
    referrers: Referrers = None,
    foreign_layers: ForeignLayers = ForeignLayersKind.AUTO,
    no_clobber: NoClobber = False,
    dry_run: DryRun = False,
    verify: Verify = False,
    repair: Repair = False,
    backup: Backup = None,
    several: SeveralOptions,
    output: params.Output = params.OutputKind.TEXT,
    format: Format = None,  # noqa: A002 - the option's name
    progress: params.Progress = params.ProgressKind.AUTO,
    verbosity: params.VerbosityOptions,
    source_registry: SourceRegistry = None,
    create_repository: CreateRepository = False,
    no_cache: params.NoCache = False,
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

    _check(several, source, targets, source_registry)
    aside = any(map(is_standard_stream, targets or ()))
    printer = Printer(*verbosity, progress, aside=aside)
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
        repair=repair,
        backup=backup,
        platforms=settings.parse_platforms(parts.platform),
        as_index=parts.as_index,
        attestations=not parts.no_attestations,
        cache=not no_cache,
        referrers=settings.parse_referrers(referrers, quiet=verbosity.quiet),
        foreign_layers=foreign_layers.value,
        create_repository=create_repository,
    )
    options = time.apply(options)
    if several != SeveralOptions():
        from regimport.cli.several import copy_several

        server_side.check_alone()
        given = credentials.read(several.from_file or "", source or "")
        code = copy_several(printer, options, given, several, (source, targets), output, format)
        raise typer.Exit(code)
    if source is None or not targets:
        raise InvalidOptions(
            "a copy needs a source and a target", hint="regimport copy SOURCE TARGET..."
        )
    if source_registry is not None:
        from regimport.clouds.names import cloud_of, source_at

        source = source_at(source_registry, source, cloud_of(targets))
    copying = server_side.copying(source_registry)
    source_credential, target_credential = credentials.read(source)
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
