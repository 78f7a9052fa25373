"""The options on the part of an image that is wanted, and on what is known of it."""

from __future__ import annotations

from typing import Annotated, NamedTuple, TypeAlias

import typer

from regimport.cli.params import Platforms

__all__ = ["NoCache", "PartOptions"]

NoCache: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--no-cache",
        help="Neither use nor keep manifests in ~/.cache/regimport; they save pulls later.",
        rich_help_panel="Access",
    ),
]


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
    no_cache: NoCache = False
