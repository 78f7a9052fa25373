"""Where the messages are made: real registries on loopback, real files, and the command."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import trustme
from typer import rich_utils

from regimport.errors import RegimportError
from regimport.options import RetryPolicy
from support.images import Image, single
from support.inprocess import Here
from support.miniature import Door, Miniature, everybody
from support.peers import Line, peer
from support.program import Ended, Program
from support.scripted import Heard, Say, Script, Scripted

# What differs from run to run, and what stands for it in the file.
_VARIES = (
    (re.compile(r"(sha256:[0-9a-f]{6})[0-9a-f]{58}"), r"\1…"),
    (re.compile(r"(sha512:[0-9a-f]{6})[0-9a-f]{122}"), r"\1…"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "2026-01-01"),
    (re.compile(r"\b\d+\.\d s\b"), "0.1 s"),
    (re.compile(r'("(?:seconds|duration|time)": )[0-9.e-]+'), r"\g<1>0.1"),
    (re.compile(r"uploads/[0-9a-f]{8}\b"), "uploads/0123abcd"),
    # How often progress is told depends on how long it takes.
    (re.compile(r"^\S+ \S+ of .* manifests$\n?", re.MULTILINE), ""),
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
)
_BOX = re.compile(r"^[╭╰].*\n?|^│ | *│$", re.MULTILINE)


class Stage:
    """Servers with names, a folder, and the command; `text` is what a person saw of it.

    `made` are the places in the source where the messages came from.
    """

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.folder = folder
        self.image: Image = single()
        self.made: set[tuple[str, int]] = set()
        self.lines: list[str] = []
        self._stack = stack
        self._names: dict[str, str] = {}
        self._authority: trustme.CA | None = None
        self._here = Here(folder)

    @property
    def authority(self) -> trustme.CA:
        """One that nobody trusts."""
        if self._authority is None:
            self._authority = trustme.CA()
        return self._authority

    def server(
        self, script: Script, name: str = "registry.example", context: ssl.SSLContext | None = None
    ) -> Scripted:
        """Run a server that the file calls by a name."""
        server = self._stack.enter_context(Scripted(script, context))
        self._names[server.address] = name
        return server

    def registry(
        self, *holding: str, name: str = "registry.example", door: Door = everybody
    ) -> Miniature:
        """Run a registry that has the image in the repositories `holding`."""
        registry = Miniature(door)
        for repository in holding:
            registry.hold(repository, self.image)
        self.server(registry, name)
        return registry

    def peer(
        self, treat: Any, name: str = "registry.example", context: ssl.SSLContext | None = None
    ) -> None:
        """Run a server of bytes, for what no registry does."""
        found = self._stack.enter_context(peer(treat, context))
        self._names[found.address] = name

    def nobody(self, name: str = "registry.example") -> None:
        """Take a port where nobody listens."""
        taken = self._stack.enter_context(socket.socket())
        taken.bind(("127.0.0.1", 0))
        self._names[f"127.0.0.1:{taken.getsockname()[1]}"] = name

    def address(self, name: str = "registry.example") -> str:
        """The address of the server with a name."""
        return next(address for address, known in self._names.items() if known == name)

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file in the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o644)
        return path

    def run(self, line: str, stdin: str = "", **environment: str) -> Ended:
        """Run a command as it is typed, with the names of servers; note what it prints."""
        _, *arguments = shlex.split(self._addressed(line))
        with (
            patch.object(RetryPolicy, "random_delay", lambda *_: 0.0),
            patch.object(RegimportError, "__init__", _noting(self.made)),
            # Typer has read these from the environment when it was imported.
            patch.multiple(rich_utils, MAX_WIDTH=100, FORCE_TERMINAL=False),
        ):
            ended = self._here(*arguments, stdin=stdin, COLUMNS="100", **environment)
        self._note(line, ended, environment)
        return ended

    def interrupt(self, line: str, moment: threading.Event) -> None:
        """Run a command in a process of its own, and press Ctrl-C once `moment` has come."""
        running = Program(self.folder).start(*shlex.split(self._addressed(line))[1:])
        moment.wait(60)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
        self._note(line, Ended(running.returncode, out, err), {})

    def _addressed(self, line: str) -> str:
        """Return a command with the addresses of servers in the place of their names."""
        for address, name in sorted(self._names.items(), key=lambda known: -len(known[1])):
            line = re.sub(rf"\b{re.escape(name)}(?=[/:\s]|$)", address, line)
        return line

    def _note(self, line: str, ended: Ended, environment: Mapping[str, str]) -> None:
        shown = "".join(f"{name}={value} " for name, value in environment.items())
        self.lines.append("$ " + self._normal(shown + line).strip())
        self.lines += self._normal(ended.out).splitlines()
        self.lines += self._normal(ended.err).splitlines()
        self.lines.append(f"[exit code {ended.code}]")

    def _normal(self, text: str) -> str:
        for address, name in self._names.items():
            text = text.replace(address, name)
            host, _, port = address.partition(":")
            text = text.replace(f"[{host}]:{port}", name).replace(f"/{port}", "/PORT")
        text = text.replace(str(self.folder), "/folder")
        for pattern, replacement in _VARIES:
            text = pattern.sub(replacement, text)
        # Typer draws a box around what it says.
        return _BOX.sub("", text).strip("\n")


def refuse(status: int, body: bytes = b"", where: str = "", **headers: str) -> Door:
    """A door that refuses requests whose method and path begin so."""

    def door(heard: Heard) -> Say | None:
        if not f"{heard.method} {heard.path}".startswith(where):
            return None
        return Say(status, {name.replace("_", "-"): text for name, text in headers.items()}, body)

    return door


def silent(line: Line) -> None:
    """Take a request, and never answer."""
    line.head()
    line.linger()


def _noting(made: set[tuple[str, int]]) -> Any:
    """Return the initialiser of all errors, which notes where each is made."""
    original = RegimportError.__init__

    def initialise(self: RegimportError, *values: Any, **named: Any) -> None:
        frame = sys._getframe(1)
        while frame.f_code.co_filename.endswith("regimport/errors.py") and frame.f_back:
            frame = frame.f_back
        made.add((frame.f_code.co_filename, frame.f_lineno))
        original(self, *values, **named)

    return initialise
