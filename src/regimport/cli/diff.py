"""`regimport diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from regimport.cli import params, settings
from regimport.cli.connections import RegistryMirror, SourceAndTargetConnectionOptions
from regimport.cli.credentials import SourceAndTargetCredentialOptions
from regimport.cli.printer import Printer, counted
from regimport.cli.tags import Exclude, Match

if TYPE_CHECKING:
    from regimport.engine.compare import Change, Comparison

__all__ = ["diff"]

First: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="FIRST", help="An image; with --tags, a repository.", show_default=False
    ),
]
Second: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="SECOND",
        help="What to compare it with. Without a tag, FIRST's tag is used.",
        show_default=False,
    ),
]
Tags: TypeAlias = Annotated[
    bool, typer.Option("--tags", help="Compare the tags of two repositories.")
]


def diff(
    first: First,
    second: Second,
    *,
    tags: Tags = False,
    match: Match = None,
    exclude: Exclude = None,
    platform: params.Platforms = None,
    output: params.Output = params.OutputKind.TEXT,
    verbosity: params.VerbosityOptions,
    credentials: SourceAndTargetCredentialOptions,
    connections: SourceAndTargetConnectionOptions,
    registry_mirror: RegistryMirror = None,
) -> None:
    """Compare two images, or with --tags the tags of two repositories.

    Exit code 0 if they are the same, 10 if they differ. Options for the source are for FIRST, those
    for the target for SECOND.

    Example: regimport diff docker.io/library/hello-world:latest myregistry.example/hello-world
    """
    from dataclasses import replace

    from regimport import comparison
    from regimport.cli.progress import reporter_for
    from regimport.errors import InvalidOptions

    if (match or exclude) and not tags:
        raise InvalidOptions("--match and --exclude are for --tags", hint="add --tags")
    if platform and tags:
        raise InvalidOptions("--platform is for two images", hint="leave --tags or --platform out")
    printer = Printer(*verbosity, params.ProgressKind.NONE)
    options = replace(
        settings.registry_options(
            printer,
            connections.shared,
            authfile=credentials.authfile,
            source=connections.source,
            target=connections.target,
            registry_mirror=registry_mirror,
        ),
        platforms=settings.parse_platforms(platform),
    )
    one, other = credentials.read(first, second)
    with reporter_for(printer) as reporter:
        if tags:
            found = comparison.diff_tags(
                first,
                second,
                match=match or (),
                exclude=exclude or (),
                options=options,
                first_credential=one,
                second_credential=other,
                reporter=reporter,
            )
        else:
            found = comparison.diff(
                first,
                second,
                options=options,
                first_credential=one,
                second_credential=other,
                reporter=reporter,
            )
    _show(printer, found, output)
    raise typer.Exit(found.exit_code)


def _show(printer: Printer, found: Comparison, output: params.OutputKind) -> None:
    if output is params.OutputKind.JSON:
        from regimport.cli.documents.comparison import ComparisonDocument

        printer.document(ComparisonDocument.of(found).model_dump_json(indent=2))
        return
    platform = ""
    width = max((len(change.subject) for change in found.changes), default=0)
    if not found.same:
        printer.result(f"- {found.first}")
        printer.result(f"+ {found.second}")
    for change in found.changes:
        if change.platform != platform:
            platform = change.platform
            printer.result(platform)
        for line in _lines(change, min(width, 30)):
            printer.result(line)
    summary = "the same" if found.same else counted(len(found.changes), "difference")
    printer.note(f"{found.first} and {found.second}: {summary}")


def _lines(change: Change, width: int) -> list[str]:
    """Return the lines of a table: what was in the first, and what is in the second."""
    lines = []
    if change.first is not None:
        lines.append(f"  {change.subject:{width}}  - {change.first}")
    if change.second is not None:
        subject = change.subject if change.first is None else ""
        lines.append(f"  {subject:{width}}  + {change.second}")
    return lines
