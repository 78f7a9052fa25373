"""The arguments and options that several commands take."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, NamedTuple, TypeAlias

import typer

__all__ = [
    "OUTPUT",
    "SOURCE_HELP",
    "Jobs",
    "NoCache",
    "Output",
    "OutputKind",
    "PartOptions",
    "Platforms",
    "Progress",
    "ProgressKind",
    "ReferenceArgument",
    "SourceArgument",
    "Verbose",
    "VerbosityOptions",
]

# The panel of the help that these options are shown in.
OUTPUT = "Output"


class OutputKind(StrEnum):
    """The form of the result on standard output."""

    TEXT = "text"
    JSON = "json"


class ProgressKind(StrEnum):
    """How progress is shown on standard error."""

    AUTO = "auto"
    TTY = "tty"
    PLAIN = "plain"
    JSON = "json"
    NONE = "none"


SOURCE_HELP = (
    "The image to copy: REGISTRY/REPOSITORY:TAG or …@DIGEST, oci:DIRECTORY[:TAG], "
    "oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME]."
)
SourceArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="SOURCE", help=SOURCE_HELP, show_default=False)
]
ReferenceArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="REFERENCE",
        help="REGISTRY/REPOSITORY:TAG or …@DIGEST, oci:DIRECTORY[:TAG], oci-archive:FILE[:TAG] or "
        "docker-archive:FILE[:NAME].",
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
        help="How many blobs and manifests to copy at once. Default: 8 to 32, chosen from the "
        "measured round trip.",
        show_default=False,
        rich_help_panel="Time",
    ),
]
Platforms: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--platform",
        metavar="OS/ARCH[/VARIANT][:VERSION]",
        help="Only this platform: its manifest. Several, repeated or with commas: a new index of "
        "them. A version is one of Windows, or its beginning. Default: the whole index.",
        show_default=False,
    ),
]
NoCache: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--no-cache",
        help="Neither use nor keep manifests in ~/.cache/regimport; they save pulls later.",
        rich_help_panel="Access",
    ),
]
Output: TypeAlias = Annotated[
    OutputKind,
    typer.Option("--output", "-o", help="The form of the result.", rich_help_panel=OUTPUT),
]
Progress: TypeAlias = Annotated[
    ProgressKind,
    typer.Option(
        help="How to show progress; without colours if $NO_COLOR is set.", rich_help_panel=OUTPUT
    ),
]
Verbose: TypeAlias = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        help="Show each step; twice: each request, and tracebacks.",
        show_default=False,
        rich_help_panel=OUTPUT,
        metavar="",
    ),
]


class VerbosityOptions(NamedTuple):
    """How much a command prints besides its result."""

    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only the result.", rich_help_panel=OUTPUT)
    ] = False
    verbose: Verbose = 0


class PartOptions(NamedTuple):
    """Which part of the image is wanted, as it was written."""

    platform: Platforms = None
    as_index: Annotated[
        bool,
        typer.Option("--as-index", help="Make a new index of a single --platform, too."),
    ] = False
    no_attestations: Annotated[
        bool,
        typer.Option(
            "--no-attestations",
            help="Leave the attestations in the index out; that makes a new index.",
        ),
    ] = False
