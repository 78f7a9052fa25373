"""`regimport completion`."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

__all__ = ["completion"]


class Shell(StrEnum):
    """The shells that commands and options are completed in."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


ShellArgument = Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]


def completion(context: typer.Context, shell: ShellArgument) -> None:
    """Print what makes a shell complete commands and options.

    In ~/.bashrc: eval "$(regimport completion bash)". In ~/.zshrc, after compinit: eval
    "$(regimport completion zsh)". For fish: regimport completion fish >
    ~/.config/fish/completions/regimport.fish.

    Example: regimport completion bash
    """
    # Typer prints the script for whoever asks it in this variable.
    os.environ["_REGIMPORT_COMPLETE"] = f"source_{shell}"
    context.find_root().command.main(args=[], prog_name="regimport")
