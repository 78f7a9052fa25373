"""`regimport delete`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from regimport.cli import params, settings
from regimport.cli.connections import ConnectionOptions
from regimport.cli.credentials import TargetCredentialOptions
from regimport.cli.printer import Printer, counted

if TYPE_CHECKING:
    from regimport.engine.deletion import Deletion, ManifestUse
    from regimport.errors import RegimportError

__all__ = ["delete"]

References: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="REFERENCE...",
        help="REGISTRY/REPOSITORY:TAG, or …@DIGEST for a manifest.",
        show_default=False,
    ),
]
WithTags: TypeAlias = Annotated[
    bool,
    typer.Option("--with-tags", help="Delete all other tags that point to the same manifest, too."),
]
Yes: TypeAlias = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask. Needed where nobody can be asked.")
]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be deleted, and delete nothing.")
]


def delete(
    references: References,
    *,
    with_tags: WithTags = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    credentials: TargetCredentialOptions,
    connections: ConnectionOptions,
    output: params.Output = params.OutputKind.TEXT,
    verbosity: params.VerbosityOptions,
) -> None:
    """Delete tags, or manifests by digest, from a registry.

    What else points to the same manifest is shown first. Other tags are never taken along unless
    --with-tags is given, and what an index needs is never deleted.

    Example: regimport delete myregistry.example/hello-world:old
    """
    from regimport import deletion
    from regimport.cli.progress import reporter_for
    from regimport.errors import RegimportError

    printer = Printer(*verbosity, params.ProgressKind.NONE)
    options = settings.registry_options(
        printer, connections.shared, authfile=credentials.authfile, target=connections.tls
    )
    credential = credentials.read()
    outcomes: dict[ManifestUse, Deletion | RegimportError] = {}
    with reporter_for(printer) as reporter:
        uses = [
            deletion.find_use(name, options=options, credential=credential, reporter=reporter)
            for name in dict.fromkeys(references)
        ]
        _check_and_show(printer, uses, with_tags=with_tags)
        if not dry_run:
            _ask(uses, with_tags=with_tags, yes=yes)
            for use in uses:
                try:
                    outcomes[use] = deletion.delete(
                        use.pinned,
                        with_tags=with_tags,
                        options=options,
                        credential=credential,
                        reporter=reporter,
                    )
                except RegimportError as error:
                    outcomes[use] = error
    _print(printer, uses, outcomes, output, dry_run=dry_run)


def _check_and_show(printer: Printer, uses: Sequence[ManifestUse], *, with_tags: bool) -> None:
    """Show what points to each manifest; raise before anything is deleted if one must stay."""
    from regimport.engine.deletion import check_unused

    for use in uses:
        printer.note(f"{use} is {use.digest}")
        if use.other_tags:
            printer.note(f"  also tagged {', '.join(use.other_tags)}")
        if use.indexes:
            printer.note(f"  part of {', '.join(use.indexes)}")
        if use.tag is None:
            check_unused(use, with_tags=with_tags)


def _ask(uses: Sequence[ManifestUse], *, with_tags: bool, yes: bool) -> None:
    """Ask for a confirmation; raise `InvalidOptions` where nobody can be asked."""
    from regimport.errors import InvalidOptions

    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InvalidOptions(
            "nobody can be asked here whether to delete this", hint="nothing was deleted; add --yes"
        )
    others = sum(len(use.other_tags) for use in uses) if with_tags else 0
    along = f", and {counted(others, 'other tag')} with them" if others else ""
    typer.confirm(f"Delete {counted(len(uses), 'reference')}{along}?", abort=True, err=True)


def _print(
    printer: Printer,
    uses: Sequence[ManifestUse],
    outcomes: Mapping[ManifestUse, Deletion | RegimportError],
    output: params.OutputKind,
    *,
    dry_run: bool,
) -> None:
    """Print what was deleted; exit with the code of the first error."""
    from regimport.errors import RegimportError

    if output is params.OutputKind.JSON:
        from regimport.cli.documents.deletion import DeletionDocument

        document = DeletionDocument.of(uses, outcomes, dry_run=dry_run)
        printer.document(document.model_dump_json(indent=2))
    failed = [outcome for outcome in outcomes.values() if isinstance(outcome, RegimportError)]
    if output is params.OutputKind.TEXT:
        for use in uses:
            outcome = outcomes.get(use)
            if dry_run:
                printer.result(f"would delete {use}")
            elif outcome is not None and not isinstance(outcome, RegimportError):
                tags = [f"{use.name}:{tag}" for tag in outcome.tags]
                for name in tags or [str(use)]:
                    printer.result(f"deleted {name}")
    for error in failed:
        printer.error(error)
    if failed:
        raise typer.Exit(failed[0].exit_code)
