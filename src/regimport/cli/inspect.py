"""`regimport inspect`."""

from __future__ import annotations

import sys
from typing import Annotated, TypeAlias

import typer

from regimport.cli import params, settings
from regimport.cli.connections import ConnectionOptions, RegistryMirror
from regimport.cli.credentials import CredentialOptions
from regimport.cli.limits import LimitOptions
from regimport.cli.printer import Printer

__all__ = ["inspect"]

Raw: TypeAlias = Annotated[
    bool, typer.Option("--raw", help="Print the bytes of the manifest, unchanged.")
]


def inspect(
    reference: params.ReferenceArgument,
    *,
    raw: Raw = False,
    platform: params.Platforms = None,
    limits: LimitOptions,
    credentials: CredentialOptions,
    connections: ConnectionOptions,
    registry_mirror: RegistryMirror = None,
    output: params.Output = params.OutputKind.TEXT,
    verbosity: params.VerbosityOptions,
) -> None:
    """Show what an image is made of: its manifests, platforms, layers, sizes and limits.

    Example: regimport inspect docker.io/library/hello-world:latest
    """
    from dataclasses import replace

    from regimport import api
    from regimport.cli.progress import reporter_for
    from regimport.cli.show import show_inspection

    printer = Printer(*verbosity, params.ProgressKind.NONE)
    options = replace(
        settings.registry_options(
            printer,
            connections.shared,
            authfile=credentials.authfile,
            source=connections.tls,
            registry_mirror=registry_mirror,
        ),
        limits=limits.parse(),
        platforms=settings.parse_platforms(platform),
    )
    credential = credentials.read()
    with reporter_for(printer) as reporter:
        if raw:
            found = api.manifest(
                reference, options=options, credential=credential, reporter=reporter
            )
            sys.stdout.buffer.write(found.raw)
            return
        inspection = api.inspect(
            reference, options=options, credential=credential, reporter=reporter
        )
    show_inspection(printer, inspection, output)
