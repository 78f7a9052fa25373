"""`regimport digest`."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from regimport.cli import params, settings
from regimport.cli.connections import ConnectionOptions, RegistryMirror
from regimport.cli.credentials import CredentialOptions
from regimport.cli.printer import Printer
from regimport.cli.timeouts import DeadlineOptions

__all__ = ["digest"]

FullReference: TypeAlias = Annotated[
    bool, typer.Option("--full-ref", help="Print registry/repository@digest, not the digest alone.")
]


def digest(
    reference: params.ReferenceArgument,
    *,
    full_ref: FullReference = False,
    platform: params.Platforms = None,
    credentials: CredentialOptions,
    connections: ConnectionOptions,
    time: DeadlineOptions,
    registry_mirror: RegistryMirror = None,
    output: params.Output = params.OutputKind.TEXT,
    verbosity: params.VerbosityOptions,
) -> None:
    """Print the digest that a tag points to. Without --platform, it costs no pull.

    Example: regimport digest docker.io/library/hello-world:latest
    """
    from dataclasses import replace

    from regimport import api
    from regimport.cli.progress import reporter_for
    from regimport.models.reference import parse_end, with_default_tag

    printer = Printer(*verbosity, params.ProgressKind.NONE)
    options = replace(
        settings.registry_options(
            printer,
            connections.shared,
            authfile=credentials.authfile,
            source=connections.tls,
            registry_mirror=registry_mirror,
        ),
        platforms=settings.parse_platforms(platform),
    )
    options = time.apply(options)
    credential = credentials.read(reference)
    with reporter_for(printer) as reporter:
        found = api.digest(reference, options=options, credential=credential, reporter=reporter)
    place = with_default_tag(parse_end(reference))
    if output is params.OutputKind.JSON:
        from regimport.cli.documents.digest import DigestDocument

        printer.document(DigestDocument.of(place, found).model_dump_json(indent=2))
        return
    printer.result(str(place.pinned(found)) if full_ref else found)
