"""`regimport verify`."""

from __future__ import annotations

from typing import Annotated

import typer

from regimport.cli import clocks, connections, params, settings
from regimport.cli.printer import Printer

__all__ = ["verify"]

TargetArgument = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="Where it must be: like SOURCE. Without a tag it takes the source's.",
        show_default=False,
    ),
]
TargetOnly = Annotated[
    bool,
    typer.Option("--target-only", help="Read the target alone; ask the source which image it is."),
]


def verify(
    source: params.SourceArgument,
    target: TargetArgument,
    target_only: TargetOnly = False,
    platform: params.Platforms = None,
    jobs: params.Jobs = None,
    max_wait: clocks.MaxWait = "5m",
    limit_rate: clocks.LimitRate = None,
    deadline: clocks.Deadline = None,
    connect_timeout: clocks.ConnectTimeout = "10s",
    idle_timeout: clocks.IdleTimeout = "60s",
    answer_timeout: clocks.AnswerTimeout = "5m",
    source_username: params.SourceUsername = None,
    source_password_stdin: params.SourcePasswordStdin = False,
    target_username: params.TargetUsername = None,
    target_password_stdin: params.TargetPasswordStdin = False,
    authfile: params.Authfile = None,
    plain_http: params.PlainHttp = None,
    source_ca_file: connections.SourceCaFile = None,
    source_cert: connections.SourceCert = None,
    source_key: connections.SourceKey = None,
    target_ca_file: connections.TargetCaFile = None,
    target_cert: connections.TargetCert = None,
    target_key: connections.TargetKey = None,
    insecure: connections.Insecure = None,
    resolve: connections.Resolve = None,
    registry_mirror: connections.RegistryMirror = None,
    output: params.Output = params.OutputKind.TEXT,
    progress: params.Progress = params.ProgressKind.AUTO,
    quiet: params.Quiet = False,
    verbose: params.Verbose = 0,
) -> None:
    """Read an image at both ends, hash every manifest and blob, and say what differs.

    Exit code 0 if nothing does, 5 if something is missing, 7 if something is different.

    Example: regimport verify docker.io/library/hello-world:latest myregistry.example/hello-world
    """
    from dataclasses import replace  # noqa: PLC0415 - --help needs none of it

    from regimport import api  # noqa: PLC0415
    from regimport.cli.progress import reporter_for  # noqa: PLC0415
    from regimport.cli.show import show_verification, show_verification_failure  # noqa: PLC0415
    from regimport.errors import Interrupted, RegimportError  # noqa: PLC0415
    from regimport.options import RetryPolicy  # noqa: PLC0415

    printer = Printer(quiet, verbose, progress)
    network = connections.network_of(
        printer,
        source=(source_ca_file, source_cert, source_key),
        target=(target_ca_file, target_cert, target_key),
        insecure=insecure,
        resolve=resolve,
        registry_mirror=registry_mirror,
    )
    options = replace(
        settings.read_options(plain_http, authfile, network),
        jobs=jobs,
        platforms=settings.platforms_of(platform),
        retry=RetryPolicy(max_wait=clocks.max_wait_of(max_wait)),
        limit_rate=clocks.rate_of(limit_rate),
        deadline=clocks.deadline_of(deadline),
        timeouts=clocks.timeouts_of(connect_timeout, idle_timeout, answer_timeout),
    )
    source_credential, target_credential = settings.credentials_of(
        ("source-", source_username, source_password_stdin),
        ("target-", target_username, target_password_stdin),
    )
    try:
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
    except Interrupted:
        raise
    except RegimportError as error:
        if verbose > 1:
            raise
        show_verification_failure(printer, error, output)
        raise typer.Exit(error.exit_code) from error
    show_verification(printer, found, output)
    raise typer.Exit(found.exit_code)
