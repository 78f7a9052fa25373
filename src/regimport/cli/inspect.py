"""`regimport inspect`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from regimport.cli import connections, params, settings
from regimport.cli.printer import Printer

__all__ = ["inspect"]

Raw = Annotated[bool, typer.Option("--raw", help="Print the manifest's bytes, untouched.")]


def inspect(
    reference: params.ReferenceArgument,
    raw: Raw = False,
    platform: params.Platforms = None,
    max_manifests: params.MaxManifests = "50",
    max_layer_size: params.MaxLayerSize = "2GiB",
    username: params.Username = None,
    password_stdin: params.PasswordStdin = False,
    authfile: params.Authfile = None,
    plain_http: params.PlainHttp = None,
    ca_file: connections.CaFile = None,
    cert: connections.Cert = None,
    key: connections.Key = None,
    insecure: connections.Insecure = None,
    resolve: connections.Resolve = None,
    registry_mirror: connections.RegistryMirror = None,
    output: params.Output = params.OutputKind.TEXT,
    quiet: params.Quiet = False,
    verbose: params.Verbose = 0,
) -> None:
    """Show what an image is made of: its manifests, platforms, layers, sizes and limits.

    Example: regimport inspect docker.io/library/hello-world:latest
    """
    from dataclasses import replace  # noqa: PLC0415 - --help needs none of it

    from regimport import api  # noqa: PLC0415
    from regimport.cli.progress import reporter_for  # noqa: PLC0415
    from regimport.cli.show import show_inspection  # noqa: PLC0415

    printer = Printer(quiet, verbose, params.ProgressKind.NONE)
    network = connections.network_of(
        printer,
        source=(ca_file, cert, key),
        insecure=insecure,
        resolve=resolve,
        registry_mirror=registry_mirror,
    )
    limits = settings.limits_of(max_manifests, max_layer_size)
    options = replace(
        settings.read_options(plain_http, authfile, network),
        limits=limits,
        platforms=settings.platforms_of(platform),
    )
    (credential,) = settings.credentials_of(("", username, password_stdin))
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
