"""The options for user names and passwords."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated, NamedTuple, TypeAlias

import typer

from regimport.errors import InvalidOptions
from regimport.models.credential import Credential
from regimport.models.on_disk import is_standard_stream

__all__ = [
    "Authfile",
    "CredentialOptions",
    "PasswordStdin",
    "SourceAndTargetCredentialOptions",
    "TargetCredentialOptions",
]


def _access(flag: str, help_text: str, *, metavar: str | None = None) -> object:
    return typer.Option(
        flag, metavar=metavar, help=help_text, rich_help_panel="Access", show_default=False
    )


Authfile: TypeAlias = Annotated[
    str | None,
    _access(
        "--authfile",
        "Credentials, as podman's auth.json keeps them; they count before those of Docker and "
        "podman ($DOCKER_CONFIG is the folder of Docker's). Or $REGISTRY_AUTH_FILE.",
        metavar="FILE",
    ),
]
PasswordStdin: TypeAlias = Annotated[
    bool, _access("--password-stdin", "Read the password from standard input.")
]


class CredentialOptions(NamedTuple):
    """The credentials of a command that uses one registry."""

    username: Annotated[
        str | None,
        _access("--username", "User name at the registry; or $REGIMPORT_SOURCE_USERNAME."),
    ] = None
    password_stdin: PasswordStdin = False
    authfile: Authfile = None

    def read(self, reference: str = "") -> Credential | None:
        """Return what `_read` returns."""
        return _read(self.username, reference, from_stdin=self.password_stdin)


class TargetCredentialOptions(NamedTuple):
    """The credentials of a command that writes to one registry."""

    username: Annotated[
        str | None,
        _access("--username", "User name at the registry; or $REGIMPORT_TARGET_USERNAME."),
    ] = None
    password_stdin: PasswordStdin = False
    authfile: Authfile = None

    def read(self) -> Credential | None:
        """Return what `_read` returns."""
        return _read(self.username, "", from_stdin=self.password_stdin)


class SourceAndTargetCredentialOptions(NamedTuple):
    """The credentials of the source, and those of the targets."""

    source_username: Annotated[
        str | None,
        _access("--source-username", "User name at the source; or $REGIMPORT_SOURCE_USERNAME."),
    ] = None
    source_password_stdin: Annotated[
        bool,
        _access(
            "--source-password-stdin",
            "Read the source's password from standard input; or $REGIMPORT_SOURCE_PASSWORD.",
        ),
    ] = False
    target_username: Annotated[
        str | None,
        _access("--target-username", "User name at the targets; or $REGIMPORT_TARGET_USERNAME."),
    ] = None
    target_password_stdin: Annotated[
        bool,
        _access(
            "--target-password-stdin",
            "Read the targets' password from standard input; after the source's, if both. Or "
            "$REGIMPORT_TARGET_PASSWORD.",
        ),
    ] = False
    authfile: Authfile = None

    def read(self, *inputs: str) -> tuple[Credential | None, Credential | None]:
        """Return the credentials of the source and of the targets, or None for either.

        The passwords are read from standard input. With both, the source's is the first line.
        Raise `InvalidOptions` for a user name without a password, and if one of `inputs`, which
        are references and files, is standard input too.
        """
        both = self.source_password_stdin and self.target_password_stdin
        source = target = None
        _check_pair("source-", self.source_username, from_stdin=self.source_password_stdin)
        if self.source_password_stdin:
            _check_stdin("source-", inputs)
            password = _password("source-", last=not both)
            source = Credential(self.source_username or "", password)
        _check_pair("target-", self.target_username, from_stdin=self.target_password_stdin)
        if self.target_password_stdin:
            _check_stdin("target-", inputs)
            password = _password("target-", last=True)
            target = Credential(self.target_username or "", password)
        return source, target


def _read(username: str | None, reference: str, *, from_stdin: bool) -> Credential | None:
    """Return the credential, its password from standard input, or None if none is named.

    Raise `InvalidOptions` for a user name without a password, and if `reference` is standard input
    too. A password may stand alone: an
    access token for Azure.
    """
    _check_pair("", username, from_stdin=from_stdin)
    if from_stdin:
        _check_stdin("", (reference,))
    return Credential(username or "", _password("", last=True)) if from_stdin else None


def _check_pair(prefix: str, username: str | None, *, from_stdin: bool) -> None:
    if username is not None and not from_stdin:
        raise InvalidOptions(
            f"--{prefix}password-stdin is missing",
            hint=f"give --{prefix}username and --{prefix}password-stdin together",
        )


def _check_stdin(prefix: str, inputs: Iterable[str]) -> None:
    for name in inputs:
        if name == "-" or is_standard_stream(name):
            what = f"--from-file {name}" if name == "-" else name
            variable = f"REGIMPORT_{(prefix or 'source-')[:-1].upper()}_PASSWORD"
            raise InvalidOptions(
                f"{what} and --{prefix}password-stdin both read standard input",
                hint=f"log in with `regimport login`, or set {variable} with its user name",
            )


def _password(prefix: str, *, last: bool) -> str:
    """Return one line, or all of the rest for the last password: a key of Google has lines."""
    whole = last and not sys.stdin.isatty()
    password = (sys.stdin.read() if whole else sys.stdin.readline()).rstrip("\r\n")
    if not password:
        raise InvalidOptions(
            f"standard input is empty, but --{prefix}password-stdin expects a password there"
        )
    return password
