"""The machine and the versions that the numbers are from."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.tools import Tool
from support.registries import BINARY


def described(tools: Sequence[Tool]) -> str:
    """One line; the load is what else the machine does: near 0, or the numbers say little."""
    cpu = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.*)", cpu.read_text()) if cpu.exists() else []
    versions = [_version([tool.program, "--version"]) for tool in tools if not tool.naive]
    return ", ".join(
        [
            f"{os.cpu_count()} CPUs ({models[0] if models else platform.machine()})",
            f"{platform.system()} {platform.release()}",
            f"Python {platform.python_version()}",
            *versions,
            _version([BINARY or "docker-registry", "--version"]).rpartition("/")[2],
            f"load {os.getloadavg()[0]:.1f} before",
        ]
    )


def _version(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()
