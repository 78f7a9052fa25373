"""`regimport config check` and `regimport config path`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from regimport.cli import params
from regimport.cli.printer import Printer

__all__ = ["check", "path"]

FileArgument: TypeAlias = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="The file to check. Default: the one that is in use."),
]


def check(file: FileArgument = None, *, verbosity: params.VerbosityOptions) -> None:
    """Check that the configuration file is valid, and list the registries that it sets up.

    The certificates and keys that it names are read too. No registry is contacted.

    Example: regimport config check
    """
    from regimport.configuration.load import find, load
    from regimport.errors import InvalidConfig
    from regimport.network import Network
    from regimport.registry.trust import check_files

    printer = Printer(*verbosity, params.ProgressKind.NONE)
    found = find(os.environ) if file is None else load(file)
    if found.path is None:
        printer.note(
            "there is no configuration file; `regimport config path` prints where it would be"
        )
        return
    for warning in found.warnings:
        printer.warning(warning)
    try:
        check_files(Network(registries=found.registries))
    except InvalidConfig as error:
        raise InvalidConfig(f"{found.path}: {error.message}", hint=error.hint) from error
    for name in found.registries:
        printer.result(name)
    printer.note(f"{found.path} is valid and has settings for {len(found.registries)} registries")


def path() -> None:
    """Print where the configuration file is, or would be. REGIMPORT_CONFIG names another place.

    Example: regimport config path
    """
    from regimport.configuration.load import config_path

    Printer().result(str(config_path(os.environ)[0]))
