"""`regimport tags`."""

from __future__ import annotations

from typing import Annotated

import typer

from regimport.cli import connections, params, settings
from regimport.cli.printer import Printer

__all__ = ["tags"]

RepositoryArgument = Annotated[
    str,
    typer.Argument(
        metavar="REPOSITORY", help="[REGISTRY/]REPOSITORY, or oci:DIRECTORY.", show_default=False
    ),
]


def tags(
    repository: RepositoryArgument,
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
    """List the tags of a repository, all pages of them.

    Example: regimport tags docker.io/library/hello-world
    """
    import json  # noqa: PLC0415 - --help needs none of it

    from regimport import api  # noqa: PLC0415
    from regimport.cli.progress import reporter_for  # noqa: PLC0415

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
        found = api.tags(
            repository,
            options=settings.read_options(plain_http, authfile, network),
            credential=credential,
            reporter=reporter,
        )
        if output is params.OutputKind.JSON:
            printer.document(json.dumps({"repository": repository, "tags": list(found)}, indent=2))
            return
        for tag in found:
            printer.result(tag)
