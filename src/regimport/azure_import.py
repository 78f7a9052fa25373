"""An image that a registry of Azure imports by itself: the public function, and how it goes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from regimport.clouds.hosts import is_azure
from regimport.clouds.import_options import (
    AzureImport,
    check_ends,
    check_source,
    subscription_of,
)
from regimport.clouds.names import resource_parts
from regimport.credentials.keychain import Keychain
from regimport.engine.imported import confirmed, judged, read_source, reports
from regimport.engine.report import ImportReport
from regimport.errors import DeadlineExceeded, Interrupted, InvalidOptions, RegimportError, Side
from regimport.events import Importing, Reporter, Silent, Warned
from regimport.models.credential import ANYBODY, Credential
from regimport.models.reference import (
    Reference,
    flat_targets,
    parse_end,
    target_of,
    with_default_tag,
)
from regimport.opening import running
from regimport.options import CopyOptions
from regimport.run import Run
from regimport.secrets_sent import SENT

if TYPE_CHECKING:
    import httpx

    from regimport.clouds.resource_manager import ImportRequest, ManagedRegistry, ResourceManager

__all__ = ["AzureImport", "import_image"]

_GOES_ON = (
    "the registry goes on with the import by itself; it may be there later, or fail without "
    "anybody being told"
)


_DEFAULTS = CopyOptions()
_AZURE = AzureImport()
_SILENT = Silent()


def import_image(
    source: str,
    *targets: str | Sequence[str],
    azure: AzureImport = _AZURE,
    check: bool = True,
    options: CopyOptions = _DEFAULTS,
    source_credential: Credential | None = None,
    target_credential: Credential | None = None,
    reporter: Reporter = _SILENT,
    transport: httpx.BaseTransport | None = None,
    stop: threading.Event | None = None,
) -> ImportReport:
    """Have a registry of Azure import an image, as `az acr import` does; return what came of it.

    No blob passes this machine. `targets` are references in that one registry: with a tag, or,
    where the source is a digest, without. The manifests of the source are read here, if that is
    possible, to check the limits and to import what the tag points to now; where it is not, a
    warning says so. A `source_credential` is sent to Azure. The login is that of azure-identity.
    With `no_clobber`, nothing is imported if a target tag exists. `target_credential` is for
    finding out what the targets have. `transport` carries the requests to registries.

    Errors are raised as by `copy`. Those of Azure are targets' errors, and all targets share them.
    Raise `InvalidOptions` for options that an import cannot have. If it is ended by `stop` or the
    deadline, the registry may go on with the import.
    """
    origin = with_default_tag(parse_end(source))
    wanted = [target_of(target, origin) for target in flat_targets(targets)]
    place, there = check_ends(origin, wanted, options)
    subscription = subscription_of(azure, os.environ)
    if azure.source_registry is not None:
        check_source(azure.source_registry, place, source_credential)
    _load_client()
    with running(
        options,
        reporter,
        [place, *there],
        source=source_credential,
        target=target_credential,
        transport=transport,
        stop=stop,
        writing=True,
    ) as run:
        sent = _credential(run, place, azure, options, source_credential)
        report = _import(run, place, there, azure, options, subscription, sent, reporter)
    if check and len(there) == 1:
        report.raise_for_failure()
    return report


def _import(
    run: Run,
    origin: Reference,
    wanted: Sequence[Reference],
    azure: AzureImport,
    options: CopyOptions,
    subscription: str,
    sent: Credential | None,
    reporter: Reporter,
) -> ImportReport:
    from regimport.clouds.resource_manager import managing  # noqa: PLC0415 - the library is large

    started = time.monotonic()
    root = read_source(run.source(origin), run, origin, options)
    asked = judged(run, origin, wanted, root, no_clobber=options.no_clobber)
    pending = [each.reference for each in asked if each.pending]
    if pending:
        registry = wanted[0].registry
        with managing(registry, subscription, options.retry, options.timeouts) as manager:
            managed, request = run.workers.call(
                partial(_request, manager, origin, root, pending, azure, options, sent)
            )
            if not options.dry_run:
                error = _await_import(run, manager, managed, request, origin, reporter)
                asked = [each.ended(error) if each.pending else each for each in asked]
        if not options.dry_run:
            root, asked = confirmed(run, asked, root)
    quota = run.quota(origin)
    return ImportReport(
        source=str(origin if root is None else origin.pinned(root.digest)),
        root=root,
        targets=reports(asked, root),
        duration=time.monotonic() - started,
        dry_run=options.dry_run,
        pulls=quota.pulls,
        rate_limit=quota.limit,
    )


def _request(
    manager: ResourceManager,
    origin: Reference,
    root: object,
    pending: Sequence[Reference],
    azure: AzureImport,
    options: CopyOptions,
    sent: Credential | None,
) -> tuple[ManagedRegistry, ImportRequest]:
    """Return the target as Azure knows it, and what it is to be asked for."""
    from regimport.clouds.resource_manager import ImportRequest  # noqa: PLC0415 - as above

    managed = _target(manager, pending[0].registry, azure)
    resource_id = azure.source_registry
    if resource_id is None and sent is None and is_azure(origin.registry):
        found = managed if origin.registry == managed.login_server else None
        found = found or manager.find(origin.registry)
        resource_id = None if found is None else found.resource_id
    digest = getattr(root, "digest", None) or origin.digest
    request = ImportRequest(
        image=f"{origin.repository}@{digest}" if digest else f"{origin.repository}:{origin.tag}",
        tags=tuple(f"{each.repository}:{each.tag}" for each in pending if each.tag),
        untagged=tuple(dict.fromkeys(each.repository for each in pending if not each.tag)),
        force=not options.no_clobber,
        host=None if resource_id else origin.registry,
        resource_id=resource_id,
        credential=sent,
    )
    return managed, request


def _target(manager: ResourceManager, registry: str, azure: AzureImport) -> ManagedRegistry:
    if azure.target_registry is None:
        return manager.target(registry)
    resource = resource_parts(azure.target_registry, "`target_registry`")
    managed = manager.get(registry, resource)
    if managed.login_server != registry.lower():
        raise InvalidOptions(
            f"the target is at {registry}, but `target_registry` is {managed.login_server}",
            hint="name the same registry twice, or leave `target_registry` out",
        )
    return managed


def _await_import(
    run: Run,
    manager: ResourceManager,
    managed: ManagedRegistry,
    request: ImportRequest,
    origin: Reference,
    reporter: Reporter,
) -> RegimportError | None:
    """Have the image imported; return the error of the targets, None if there was none."""
    started = time.monotonic()

    def tell() -> None:
        elapsed = time.monotonic() - started
        run.reporter.tell(Importing(str(origin), managed.login_server, elapsed))

    try:
        run.workers.call(partial(manager.run_import, managed, request, run.workers.stop, tell))
    except (Interrupted, DeadlineExceeded) as error:
        # Not to the run's reporter, which takes no warnings from a run that has ended.
        reporter.tell(Warned(_GOES_ON))
        error.hint = _GOES_ON
        raise
    except RegimportError as error:
        return error
    return None


def _credential(
    run: Run,
    origin: Reference,
    azure: AzureImport,
    options: CopyOptions,
    given: Credential | None,
) -> Credential | None:
    """Return the source's credential in the form in which it is sent to Azure, None if none is."""
    found = given
    if found is None and azure.send_credentials and azure.source_registry is None:

        def warn(message: str) -> None:
            run.reporter.tell(Warned(message))

        with closing(Keychain({}, warn, authfile=options.authfile)) as keychain:
            look = partial(keychain.find, Side.SOURCE, origin.registry, origin.repository)
            found = run.workers.call(look)
    if found is None:
        return None
    if found.identity_token and is_azure(origin.registry):
        found = Credential(ANYBODY, found.identity_token)
    if not (found.password or found.entra_token):
        raise InvalidOptions(
            f"the source's credential is {found.described}, which an import cannot use",
            hint="give `source_credential` with a user name and a password",
        )
    SENT.add(found.entra_token or found.password)
    return found


def _load_client() -> None:
    try:
        # Imported where it is asked for: the library is large.
        import regimport.clouds.resource_manager  # noqa: F401, PLC0415
    except ImportError as error:
        from regimport.installation import install_command  # noqa: PLC0415 - for a hint

        raise InvalidOptions(
            "for `server_side`, the libraries of Azure are needed", hint=install_command("azure")
        ) from error
