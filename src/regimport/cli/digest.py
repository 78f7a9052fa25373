"""`regimport digest`."""

from __future__ import annotations

from typing import Annotated

import typer

from regimport.cli import connections, params, settings
from regimport.cli.printer import Printer

__all__ = ["digest"]

FullReference = Annotated[
    bool, typer.Option("--full-ref", help="Print registry/repository@digest, not the digest alone.")
]


def digest(
    reference: params.ReferenceArgument,
    full_ref: FullReference = False,
    platform: params.Platforms = None,
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
    quiet: params.Quiet = False,
    verbose: params.Verbose = 0,
) -> None:
    """Print the digest that a tag points to; without --platform it costs no pull.

    Example: regimport digest docker.io/library/hello-world:latest
    """
    from dataclasses import replace  # noqa: PLC0415 - --help needs none of it

    from regimport import api  # noqa: PLC0415
    from regimport.cli.progress import reporter_for  # noqa: PLC0415
    from regimport.models.reference import parse_end  # noqa: PLC0415

    printer = Printer(quiet, verbose, params.ProgressKind.NONE)
    network = connections.network_of(
        printer,
        source=(ca_file, cert, key),
        insecure=insecure,
        resolve=resolve,
        registry_mirror=registry_mirror,
    )
    (credential,) = settings.credentials_of(("", username, password_stdin))
    with reporter_for(printer) as reporter:
        found = api.digest(
            reference,
            options=replace(
                settings.read_options(plain_http, authfile, network),
                platforms=settings.platforms_of(platform),
            ),
            credential=credential,
            reporter=reporter,
        )
    printer.result(str(parse_end(reference).pinned(found)) if full_ref else found)
