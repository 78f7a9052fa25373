"""`regimport login` and `regimport logout`."""

from __future__ import annotations

import sys
from typing import Annotated, TypeAlias

import typer

from regimport.cli import connections, params, settings
from regimport.cli.printer import Printer
from regimport.errors import InvalidOptions
from regimport.models.credential import Credential

__all__ = ["login", "logout"]

RegistryArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="REGISTRY", help="The registry: HOST[:PORT].", show_default=False)
]
LoginUsername: TypeAlias = Annotated[
    str | None,
    typer.Option("--username", "-u", help="User name at the registry.", show_default=False),
]
Store: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--authfile",
        metavar="FILE",
        help="Where to keep the credentials, in the place of Docker's config.json. "
        "$REGISTRY_AUTH_FILE says the same.",
        show_default=False,
    ),
]


def login(
    registry: RegistryArgument,
    username: LoginUsername = None,
    password_stdin: params.PasswordStdin = False,
    authfile: Store = None,
    plain_http: params.PlainHttp = None,
    ca_file: connections.CaFile = None,
    cert: connections.Cert = None,
    key: connections.Key = None,
    insecure: connections.Insecure = None,
    resolve: connections.Resolve = None,
    quiet: params.Quiet = False,
    verbose: params.Verbose = 0,
) -> None:
    """Check a user name and a password at a registry, and keep them as `docker login` does.

    They go to the credential helper that Docker's config.json names, else into that file.

    Example: regimport login -u ci --password-stdin myregistry.example < password.txt
    """
    from regimport import accounts  # noqa: PLC0415 - --help needs none of it
    from regimport.cli.progress import reporter_for  # noqa: PLC0415
    from regimport.models.reference import registry_of  # noqa: PLC0415

    printer = Printer(quiet, verbose, params.ProgressKind.NONE)
    network = connections.network_of(
        printer,
        target=(ca_file, cert, key),
        insecure=insecure,
        resolve=resolve,
    )
    host = registry_of(registry)
    credential = _credential(username, from_stdin=password_stdin)
    with reporter_for(printer) as reporter:
        kept = accounts.login(
            host,
            credential,
            options=settings.read_options(plain_http, authfile, network),
            reporter=reporter,
        )
    printer.note(f"logged in at {host} as {credential.username!r}; kept in {kept}")


def logout(
    registry: RegistryArgument,
    authfile: Store = None,
    quiet: params.Quiet = False,
    verbose: params.Verbose = 0,
) -> None:
    """Forget the credentials that `login` kept for a registry.

    Example: regimport logout myregistry.example
    """
    from regimport import accounts  # noqa: PLC0415 - --help needs none of it
    from regimport.models.reference import registry_of  # noqa: PLC0415

    printer = Printer(quiet, verbose, params.ProgressKind.NONE)
    host = registry_of(registry)
    known = accounts.logout(host, options=settings.read_options(None, authfile))
    printer.note(f"logged out of {host}" if known else f"nobody was logged in at {host}")


def _credential(username: str | None, *, from_stdin: bool) -> Credential:
    if from_stdin:
        (found,) = settings.credentials_of(("", username, True))
        assert found is not None
        if not found.username:
            raise InvalidOptions("--username is missing", hint="--password-stdin wants it too")
        return found
    if not sys.stdin.isatty():
        raise InvalidOptions(
            "there is no terminal to ask for a password on",
            hint="give --username and --password-stdin",
        )
    import getpass  # noqa: PLC0415 - only a terminal needs it

    name = username or typer.prompt("User name", err=True)
    password = getpass.getpass("Password: ")
    if not password:
        raise InvalidOptions("no password was given")
    return Credential(name, password)
