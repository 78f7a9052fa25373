"""Flags of the command line, turned into the options of the library."""

from __future__ import annotations

import sys

from regimport.cli.params import TransportKind
from regimport.cli.quantities import parse_size
from regimport.errors import InvalidOptions
from regimport.models.credential import Credential
from regimport.models.platform import Platform
from regimport.network import Network
from regimport.options import CopyOptions, Limits, RetryPolicy, Timeouts

__all__ = ["copy_options", "credentials_of", "limits_of", "platforms_of", "read_options"]


def limits_of(max_manifests: str, max_layer_size: str) -> Limits:
    """Read the two limits; `none` lifts one."""
    if max_manifests != "none" and not max_manifests.isdecimal():
        raise InvalidOptions(
            f"invalid --max-manifests {max_manifests!r}", hint="write a number, or none"
        )
    return Limits(
        max_manifests=None if max_manifests == "none" else int(max_manifests),
        max_layer_size=None if max_layer_size == "none" else parse_size(max_layer_size),
    )


def copy_options(
    *,
    limits: Limits,
    jobs: int | None,
    no_clobber: bool,
    dry_run: bool,
    verify: bool,
    platforms: tuple[Platform, ...],
    plain_http: list[str] | None,
    authfile: str | None,
    create_repository: bool,
    max_wait: float,
    limit_rate: float | None,
    deadline: float | None,
    timeouts: Timeouts,
    transport: TransportKind,
    network: Network,
) -> CopyOptions:
    """Turn the flags of `copy` into options; raises `UsageError`."""
    return CopyOptions(
        limits=limits,
        retry=RetryPolicy(max_wait=max_wait),
        limit_rate=limit_rate,
        deadline=deadline,
        timeouts=timeouts,
        jobs=jobs,
        no_clobber=no_clobber,
        dry_run=dry_run,
        verify=verify,
        platforms=platforms,
        plain_http=frozenset(plain_http or ()),
        authfile=authfile,
        create_repository=create_repository,
        transport=transport.value,
        network=network,
    )


def platforms_of(platforms: list[str] | None) -> tuple[Platform, ...]:
    """Read the platforms; raises `InvalidReference`."""
    return tuple(Platform.parse(one) for one in platforms or ())


def read_options(
    plain_http: list[str] | None, authfile: str | None, network: Network | None = None
) -> CopyOptions:
    """Turn the flags of the commands that only read into options."""
    return CopyOptions(
        plain_http=frozenset(plain_http or ()), authfile=authfile, network=network or Network()
    )


def credentials_of(*sides: tuple[str, str | None, bool]) -> list[Credential | None]:
    """Give the credential of each side: (option prefix, user name, password on standard input).

    Passwords are read a line each, in the order of the sides; the last one may have several, as
    Google's keys do. Raises `InvalidOptions` where a user name has no password. A password may
    stand alone: an access token for Azure.
    """
    found: list[Credential | None] = []
    last = next((prefix for prefix, _, from_stdin in reversed(sides) if from_stdin), None)
    for prefix, username, from_stdin in sides:
        if username is not None and not from_stdin:
            raise InvalidOptions(
                f"--{prefix}password-stdin is missing",
                hint=f"give --{prefix}username and --{prefix}password-stdin together",
            )
        if not from_stdin:
            found.append(None)
            continue
        whole = prefix == last and not sys.stdin.isatty()
        password = (sys.stdin.read() if whole else sys.stdin.readline()).rstrip("\r\n")
        if not password:
            raise InvalidOptions(f"no password came on standard input for --{prefix}password-stdin")
        found.append(Credential(username or "", password))
    return found
