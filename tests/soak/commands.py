"""Every command, against registries that are slow or silent, or held up in another way."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from starlette.types import Receive, Scope, Send

from regimport.server.app import create_app
from regimport.server.run import serving
from support.client import Client
from support.images import many_platforms, single
from support.shaky import Ways, shaky

_RUN = [sys.executable, "-m", "regimport"]
# Name servers that never answer: what the C library waits in is not woken by a signal.
_DEAF_NAMES = (
    "import os, runpy, socket;"
    "socket.getaddrinfo = lambda *_, **__: os.read(os.pipe()[0], 1);"
    "runpy.run_module('regimport', run_name='__main__')"
)
_HELPER = '#!/bin/sh\necho $$ >> "$HELPER_LOG"\nexec sleep 1000\n'
_SLOW_SECONDS = 0.1
_LARGE = 3_000_000


@dataclass(frozen=True)
class World:
    """The registries: `slow` answers late, `silent` never; `stalling` takes half a large body."""

    folder: Path
    slow: str
    silent: str
    large: str
    stalling: str


@dataclass(frozen=True)
class Case:
    """A command. `holds` says what it is held up by, besides the registries in its arguments."""

    title: str
    arguments: str
    holds: frozenset[str] = field(default_factory=frozenset)


def case(title: str, arguments: str, *holds: str) -> Case:
    return Case(title, arguments, frozenset(holds))


# Commands that would go on for longer than anybody waits here; {new} is a name of its own.
LASTING = [
    case("copy", "copy {slow}/app:1 {slow}/{new}"),
    case("copy with one job", "copy -j1 --verify {slow}/app:1 {slow}/{new}"),
    case("copy to two targets", "copy {slow}/app:1 {slow}/{new} {slow}/{new}b"),
    case("copy to a folder", "copy {slow}/app:1 oci:{run}/layout"),
    case("copy from a silent registry", "copy {silent}/app:1 {slow}/{new}"),
    case("copy to a silent registry", "copy {slow}/app:1 {silent}/{new}"),
    case("copy of a body that stalls", "copy {large}/app:1 {stalling}/app"),
    case("dry run", "copy --dry-run {silent}/app:1 {slow}/{new}"),
    case("copy while a helper hangs", "copy {slow}/app:1 {slow}/{new}", "helper"),
    case("copy while names are asked", "copy registry.test/app:1 {slow}/{new}", "names"),
    case("copy with bars", "copy --progress tty {slow}/app:1 {slow}/{new}"),
    case("verify", "verify {slow}/app:1 {slow}/app:1"),
    case("verify with a silent target", "verify {slow}/app:1 {silent}/app:1"),
    case("inspect", "inspect {silent}/app:1"),
    case("tags", "tags {silent}/app"),
    case("tags while names are asked", "tags registry.test/app", "names"),
    case("digest", "digest {silent}/app:1"),
    case("digest while a helper hangs", "digest {silent}/app:1", "helper"),
    case("login that asks for a password", "login -u alice {slow}", "terminal"),
    case("login that reads a password", "login -u alice --password-stdin {slow}", "input"),
    case("login at a silent registry", "login -u alice --password-stdin {silent}"),
    case("logout while a helper hangs", "logout {slow}", "helper"),
    case("ratelimit", "ratelimit {silent}/app:1"),
    case("auth explain while a helper hangs", "auth explain {slow}/app", "helper"),
    case("serve", "serve --port 0"),
    case("serve a folder", "serve -v {run}/images --port 0"),
    case("schema into a full pipe", "schema report", "pipe"),
]
# Commands that end by themselves, soon.
SHORT = [
    case("schema", "schema report"),
    case("config check", "config check"),
    case("config path", "config path"),
    case("--help", "--help"),
    case("copy --help", "copy --help"),
    case("--version", "--version"),
]


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Run the registries."""
    app = create_app(folder / "slow")

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(_SLOW_SECONDS)
        await app(scope, receive, send)

    with (
        serving(app=slow) as late,
        _silent() as silent,
        shaky() as large,
        shaky(Ways(stall_uploads=_LARGE // 2)) as stalling,
    ):
        Client(late.address).push("app", many_platforms(platforms=6), "1")
        large.keep(single(size=_LARGE), "1")
        yield World(folder, late.address, silent, large.address, stalling.address)


@contextmanager
def _silent() -> Iterator[str]:
    """Accept connections, and never answer."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=500)
    accepted: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                accepted.append(listener.accept()[0])
                if len(accepted) > 200:
                    accepted.pop(0).close()

    threading.Thread(target=accept, daemon=True).start()
    with closing(listener):
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    for connection in accepted:
        connection.close()


@dataclass
class Started:
    """A command that runs, in a folder of its own; `ends` are files that it must not see closed."""

    process: subprocess.Popen[bytes]
    folder: Path
    ends: list[int]

    def helpers(self) -> list[int]:
        """Return the process numbers of the credential helpers that it started."""
        log = self.folder / "helpers"
        return [int(line) for line in log.read_text().split()] if log.exists() else []

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for end in self.ends:
            os.close(end)


def start(wanted: Case, where: World, name: str) -> Started:
    """Start a command; what it prints goes into `out` and `err` of its folder."""
    folder = where.folder / name
    (folder / "tmp").mkdir(parents=True)
    names = {**vars(where), "new": f"new/{name}", "run": folder}
    arguments = [part.format(**names) for part in wanted.arguments.split()]
    command = [sys.executable, "-c", _DEAF_NAMES] if "names" in wanted.holds else _RUN
    ends: list[int] = []
    given, output = _input(wanted, ends), _output(wanted, folder, ends)
    terminal = "terminal" in wanted.holds
    with (folder / "err").open("wb") as errors:
        process = subprocess.Popen(
            [*command, *arguments],
            stdin=given,
            stdout=output,
            stderr=errors,
            env=_environment(wanted, folder),
            cwd=folder,
            start_new_session=terminal,
        )
    os.close(given)
    os.close(output)
    return Started(process, folder, ends)


def _input(wanted: Case, ends: list[int]) -> int:
    if "terminal" in wanted.holds:
        master, slave = pty.openpty()
        ends.append(master)
        return slave
    reader, writer = os.pipe()
    if "input" in wanted.holds:
        ends.append(writer)
    else:
        os.write(writer, b"secret\n")
        os.close(writer)
    return reader


def _output(wanted: Case, folder: Path, ends: list[int]) -> int:
    if "pipe" not in wanted.holds:
        return os.open(folder / "out", os.O_WRONLY | os.O_CREAT)
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    ends.append(reader)
    return writer


def _environment(wanted: Case, folder: Path) -> Mapping[str, str]:
    if "helper" in wanted.holds:
        helper = folder / "docker-credential-slow"
        helper.write_text(_HELPER)
        helper.chmod(0o700)
        (folder / "config.json").write_text('{"credsStore": "slow"}')
    kept = {name: os.environ[name] for name in ("LANG", "PYTHONPATH") if name in os.environ}
    return {
        **kept,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "TMPDIR": str(folder / "tmp"),
        "DOCKER_CONFIG": str(folder),
        "HELPER_LOG": str(folder / "helpers"),
    }
