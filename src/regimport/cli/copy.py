"""`regimport copy`."""

from __future__ import annotations

import typer

from regimport.cli import clocks, connections, params, settings
from regimport.cli.printer import Printer

__all__ = ["copy"]


def copy(
    source: params.SourceArgument,
    targets: params.TargetArguments,
    jobs: params.Jobs = None,
    no_clobber: params.NoClobber = False,
    dry_run: params.DryRun = False,
    verify: params.Verify = False,
    platform: params.Platforms = None,
    create_repository: params.CreateRepository = False,
    max_manifests: params.MaxManifests = "50",
    max_layer_size: params.MaxLayerSize = "2GiB",
    max_wait: clocks.MaxWait = "5m",
    limit_rate: clocks.LimitRate = None,
    deadline: clocks.Deadline = None,
    connect_timeout: clocks.ConnectTimeout = "10s",
    idle_timeout: clocks.IdleTimeout = "60s",
    answer_timeout: clocks.AnswerTimeout = "5m",
    source_registry: params.SourceRegistry = None,
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
    transport: params.Transport = params.TransportKind.POOLED,
    output: params.Output = params.OutputKind.TEXT,
    format: params.Format = None,  # noqa: A002 - the option's name
    progress: params.Progress = params.ProgressKind.AUTO,
    quiet: params.Quiet = False,
    verbose: params.Verbose = 0,
) -> None:
    """Copy an image from one registry to others: every platform, digests unchanged.

    Manifests and blobs stream from registry to registry. What a target has already is not moved,
    and its tag is set last, when all is there.

    Example: regimport copy docker.io/library/hello-world:latest myregistry.example/hello-world
    """
    from regimport import api  # noqa: PLC0415 - --help needs none of it
    from regimport.cli.progress import reporter_for  # noqa: PLC0415
    from regimport.cli.show import check_template, show_failure, show_report  # noqa: PLC0415
    from regimport.errors import Interrupted, RegimportError  # noqa: PLC0415

    printer = Printer(quiet, verbose, progress)
    if format is not None:
        check_template(format)
    options = settings.copy_options(
        limits=settings.limits_of(max_manifests, max_layer_size),
        jobs=jobs,
        no_clobber=no_clobber,
        dry_run=dry_run,
        verify=verify,
        platforms=settings.platforms_of(platform),
        plain_http=plain_http,
        authfile=authfile,
        create_repository=create_repository,
        max_wait=clocks.max_wait_of(max_wait),
        limit_rate=clocks.rate_of(limit_rate),
        deadline=clocks.deadline_of(deadline),
        timeouts=clocks.timeouts_of(connect_timeout, idle_timeout, answer_timeout),
        transport=transport,
        network=connections.network_of(
            printer,
            source=(source_ca_file, source_cert, source_key),
            target=(target_ca_file, target_cert, target_key),
            insecure=insecure,
            resolve=resolve,
            registry_mirror=registry_mirror,
        ),
    )
    if source_registry is not None:
        from regimport.clouds.names import source_at  # noqa: PLC0415

        source = source_at(source_registry, source)
    source_credential, target_credential = settings.credentials_of(
        ("source-", source_username, source_password_stdin),
        ("target-", target_username, target_password_stdin),
    )
    try:
        with reporter_for(printer) as reporter:
            report = api.copy(
                source,
                *targets,
                check=False,
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
        show_failure(printer, error, output)
        raise typer.Exit(error.exit_code) from error
    show_report(printer, report, output, format)
    raise typer.Exit(report.exit_code)
