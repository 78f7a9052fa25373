"""The options of the commands, and how flags become the values that the library takes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeAlias

import typer

__all__ = [
    "Authfile",
    "CreateRepository",
    "DryRun",
    "Format",
    "Jobs",
    "MaxLayerSize",
    "MaxManifests",
    "NoClobber",
    "Output",
    "OutputKind",
    "PasswordStdin",
    "PlainHttp",
    "Platforms",
    "Progress",
    "ProgressKind",
    "Quiet",
    "ReferenceArgument",
    "SourceArgument",
    "SourcePasswordStdin",
    "SourceRegistry",
    "SourceUsername",
    "TargetArguments",
    "TargetPasswordStdin",
    "TargetUsername",
    "Transport",
    "TransportKind",
    "Username",
    "Verbose",
    "Verify",
]


class OutputKind(StrEnum):
    """What standard output carries."""

    TEXT = "text"
    JSON = "json"


class TransportKind(StrEnum):
    """What carries the requests."""

    POOLED = "pooled"
    HTTPX = "httpx"


class ProgressKind(StrEnum):
    """How progress is shown on standard error."""

    AUTO = "auto"
    TTY = "tty"
    PLAIN = "plain"
    JSON = "json"
    NONE = "none"


_LIMITS, _ACCESS, _SHOWN = "Limits", "Access", "Output"

SourceArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="The image to copy: REGISTRY/REPOSITORY:TAG or …@DIGEST, or oci:DIRECTORY[:TAG].",
        show_default=False,
    ),
]
TargetArguments: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="TARGET",
        help="Where to: like SOURCE. Without a tag it takes the source's; one that ends in / "
        "keeps the source's repository under it.",
        show_default=False,
    ),
]
ReferenceArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="REFERENCE",
        help="REGISTRY/REPOSITORY:TAG or …@DIGEST, or oci:DIRECTORY[:TAG].",
        show_default=False,
    ),
]
Jobs: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        max=256,
        help="How many blobs and manifests to move at once; by default from 8 on a short line to "
        "32 on a long one, as measured.",
        show_default=False,
    ),
]
NoClobber: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--no-clobber", "-n", help="Leave a target tag alone that has another image: exit code 9."
    ),
]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be done, and write nothing.")
]
Platforms: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--platform",
        metavar="OS/ARCH[/VARIANT]",
        help="Only the manifest for this platform, as it is; by default the whole index.",
        show_default=False,
    ),
]
Verify: TypeAlias = Annotated[
    bool,
    typer.Option("--verify", help="Read back what was written, and hash it: exit code 7 or 5."),
]
CreateRepository: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--create-repository",
        help="Make a missing repository at an ECR target; other registries do it themselves.",
    ),
]
MaxManifests: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="N|none", help="Most manifests an image may name.", rich_help_panel=_LIMITS
    ),
]
MaxLayerSize: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="SIZE|none",
        help="Most bytes a layer may have: 2GiB, 500MB, bytes.",
        rich_help_panel=_LIMITS,
    ),
]
Transport: TypeAlias = Annotated[
    TransportKind,
    typer.Option(
        envvar="REGIMPORT_TRANSPORT",
        help="What carries the requests: regimport's own pooled connections, or httpx's, which "
        "are slower; to tell a fault of one from a fault of the registry.",
        rich_help_panel=_ACCESS,
    ),
]
PlainHttp: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOST[:PORT]",
        help="Speak http, not https, with this registry; repeatable. Loopback needs no option.",
        rich_help_panel=_ACCESS,
        show_default=False,
    ),
]


def _access(flag: str, help_text: str) -> object:
    return typer.Option(flag, help=help_text, rich_help_panel=_ACCESS, show_default=False)


SourceUsername: TypeAlias = Annotated[
    str | None, _access("--source-username", "User name at the source.")
]
TargetUsername: TypeAlias = Annotated[
    str | None, _access("--target-username", "User name at the targets.")
]
Username: TypeAlias = Annotated[str | None, _access("--username", "User name at the registry.")]
SourcePasswordStdin: TypeAlias = Annotated[
    bool, _access("--source-password-stdin", "Read the source's password from standard input.")
]
TargetPasswordStdin: TypeAlias = Annotated[
    bool,
    _access(
        "--target-password-stdin",
        "Read the targets' password from standard input; after the source's, if both.",
    ),
]
SourceRegistry: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--source-registry",
        "-r",
        metavar="REGISTRY",
        help="Where SOURCE is, if it names no registry: the name, login server or resource ID of "
        "an Azure registry, as `az acr import` takes it.",
        rich_help_panel=_ACCESS,
        show_default=False,
    ),
]
Authfile: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Credentials, as podman's auth.json keeps them; they count before those of Docker "
        "and podman. $REGISTRY_AUTH_FILE says the same.",
        rich_help_panel=_ACCESS,
        show_default=False,
    ),
]
PasswordStdin: TypeAlias = Annotated[
    bool, _access("--password-stdin", "Read the password from standard input.")
]
Output: TypeAlias = Annotated[
    OutputKind,
    typer.Option("--output", "-o", help="What to print as the result.", rich_help_panel=_SHOWN),
]
Format: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="TEMPLATE",
        help="Print a template for each target instead: {{.Pinned}}, {{.Digest}}, {{.Tag}}, …",
        rich_help_panel=_SHOWN,
        show_default=False,
    ),
]
Progress: TypeAlias = Annotated[
    ProgressKind, typer.Option(help="How to show progress.", rich_help_panel=_SHOWN)
]
Quiet: TypeAlias = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only the result.", rich_help_panel=_SHOWN)
]
Verbose: TypeAlias = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        help="Tell each step; twice: each request, and tracebacks.",
        show_default=False,
        rich_help_panel=_SHOWN,
        metavar="",
    ),
]
