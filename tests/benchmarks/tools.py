"""The tools that are compared: how each is asked to copy, and how it is kept from remembering."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Where the benchmark's own programs find their modules.
MODULES = str(Path(__file__).parents[1])


@dataclass(frozen=True, slots=True)
class Job:
    """What to copy: `HOST:PORT/REPOSITORY:TAG` to another, with TLS or without."""

    source: str
    target: str
    tls: bool


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that copies images."""

    name: str
    program: str
    command: Callable[[Job], list[str]]
    #: Moves everything, whether it is there or not.
    naive: bool = False


def regimport(program: Path | None = None, *options: str) -> Tool:
    """The command as it is installed beside this Python, or another one."""
    path = str(program or Path(sys.executable).with_name("regimport"))

    def command(job: Job) -> list[str]:
        return [path, "copy", "--progress", "none", *options, job.source, job.target]

    return Tool("regimport", path, command)


def skopeo() -> Tool:
    """Debian's skopeo, with every platform."""
    path = shutil.which("skopeo")
    assert path is not None, "skopeo is not installed"

    def command(job: Job) -> list[str]:
        plain = [] if job.tls else ["--src-tls-verify=false", "--dest-tls-verify=false"]
        ends = [f"docker://{job.source}", f"docker://{job.target}"]
        return [path, "--insecure-policy", "copy", "--all", *plain, *ends]

    return Tool("skopeo", path, command)


def bare() -> Tool:
    """The least that moves an image at all: the floor under every tool."""
    path = str(Path(__file__).with_name("bare.py"))

    def command(job: Job) -> list[str]:
        scheme = "https" if job.tls else "http"
        return [sys.executable, "-I", "-S", path, scheme, job.source, job.target]

    return Tool("bare", sys.executable, command, naive=True)


def cold_environment(home: Path, authority: Path | None) -> dict[str, str]:
    """The environment of one run: a home of its own, and nothing of the machine's user.

    skopeo remembers in a cache which blobs it has seen where, and would mount them. As root it
    keeps the cache in /var/lib/containers, not in its home, unless it is told that it serves
    another user: that is what `_CONTAINERS_ROOTLESS_UID` is for.
    """
    environment = {
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "_CONTAINERS_ROOTLESS_UID": "1000",
    }
    if authority is not None:
        environment["SSL_CERT_FILE"] = str(authority)
    return environment
