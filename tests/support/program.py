"""The real command as a process: what it prints, and how it ends."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from regimport.cli.commands import add_commands

_RUN = [sys.executable, "-m", "regimport"]


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    code: int
    out: str
    err: str


class Program:
    """Runs `regimport`, in a folder of its own, with a clean environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Ended:
        done = subprocess.run(
            [*_RUN, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=os.environ | environment,
            timeout=100,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start it, and let the test do what it will with it."""
        return subprocess.Popen(
            [*_RUN, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=os.environ | environment,
        )

    def start_shell(self, arguments: Sequence[str], redirection: str) -> subprocess.Popen[str]:
        """Start it with its output redirected as a shell does it."""
        return subprocess.Popen(
            f"{shlex.join([*_RUN, *arguments])} {redirection}",
            shell=True,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
        )


def program_options() -> set[str]:
    """Every option of every command."""
    app = typer.Typer()
    app.callback()(lambda: None)
    add_commands(app, "")

    def names(command: Any) -> Iterator[str]:
        for parameter in command.params:
            yield from (*parameter.opts, *parameter.secondary_opts)
        for child in getattr(command, "commands", {}).values():
            yield from names(child)

    return {"--version", *names(typer.main.get_command(app))}
