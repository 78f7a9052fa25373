"""`regimport login` and `regimport logout`."""

from __future__ import annotations

import sys
from typing import Annotated, TypeAlias

import typer

from regimport.cli import params, settings
from regimport.cli.connections import ConnectionOptions
from regimport.cli.credentials import CredentialOptions, PasswordStdin
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
        help="The file to store the credentials in, instead of Docker's config.json. "
        "$REGISTRY_AUTH_FILE says the same.",
        show_default=False,
    ),
]


def login(
    registry: RegistryArgument,
    *,
    username: LoginUsername = None,
    password_stdin: PasswordStdin = False,
    authfile: Store = None,
    connections: ConnectionOptions,
    verbosity: params.VerbosityOptions,
) -> None:
    """Check a user name and a password at a registry, and store them as `docker login` does.

    They are stored in the credential helper that Docker's config.json names, or in that file.

    Example: regimport login -u ci --password-stdin myregistry.example < password.txt
    """
    from regimport import accounts
    from regimport.cli.progress import reporter_for
    from regimport.models.reference import registry_of

    printer = Printer(*verbosity, params.ProgressKind.NONE)
    options = settings.registry_options(
        printer, connections.shared, authfile=authfile, target=connections.tls
    )
    host = registry_of(registry)
    credential = _from_standard_input(username) if password_stdin else _from_terminal(username)
    with reporter_for(printer) as reporter:
        kept = accounts.login(host, credential, options=options, reporter=reporter)
    printer.note(f"logged in to {host} as {credential.username!r}; the credentials are in {kept}")


def logout(
    registry: RegistryArgument,
    *,
    authfile: Store = None,
    verbosity: params.VerbosityOptions,
) -> None:
    """Remove the credentials that `login` stored for a registry.

    Example: regimport logout myregistry.example
    """
    from regimport import accounts
    from regimport.models.reference import registry_of

    printer = Printer(*verbosity, params.ProgressKind.NONE)
    host = registry_of(registry)
    known = accounts.logout(host, options=settings.basic_options(authfile))
    printer.note(f"logged out of {host}" if known else f"you were not logged in to {host}")


def _from_standard_input(username: str | None) -> Credential:
    credential = CredentialOptions(username, password_stdin=True).read()
    if credential is None or not credential.username:
        raise InvalidOptions(
            "--username is missing", hint="give --username together with --password-stdin"
        )
    return credential


def _from_terminal(username: str | None) -> Credential:
    if not sys.stdin.isatty():
        raise InvalidOptions(
            "there is no terminal to ask for a password on",
            hint="give --username and --password-stdin",
        )
    import getpass

    name = username or typer.prompt("User name", err=True)
    password = getpass.getpass("Password: ")
    if not password:
        raise InvalidOptions("no password was given")
    return Credential(name, password)
