"""The real command on a terminal of its own, and each picture that it draws there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

_ERASED = re.compile(r"\r?\x1b\[2K(?:\x1b\[1A\x1b\[2K)*")
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# Select Graphic Rendition with a colour in it (ECMA-48, section 8.3.117).
_COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]")


@dataclass(frozen=True)
class Shown:
    """All that a process wrote on its terminal."""

    code: int
    output: str

    @property
    def pictures(self) -> list[list[str]]:
        """The lines of each picture that was drawn, without styles."""
        return [
            _CONTROL.sub("", part).replace("\r", "").splitlines()
            for part in _ERASED.split(self.output)
        ]

    @property
    def text(self) -> str:
        """The output without styles and movements of the cursor."""
        return _CONTROL.sub("", self.output).replace("\r", "")

    @property
    def coloured(self) -> bool:
        """Whether anything has a colour."""
        return _COLOUR.search(self.output) is not None

    @property
    def styled(self) -> bool:
        """Whether anything is other than plain text."""
        return _STYLE.search(self.output) is not None


def on_a_terminal(
    folder: Path,
    *arguments: str,
    width: int = 80,
    height: int = 24,
    until: Callable[[str], bool] = lambda _: False,
    environment: Mapping[str, str] = MappingProxyType({}),
    typed: str = "",
) -> Shown:
    """Run `regimport` on a terminal to its end, or until what it wrote is what is waited for."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS"}
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "regimport", *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=folder,
        env={**kept, "TERM": "xterm-256color", "LANG": "C.UTF-8", **environment},
    )
    os.close(slave)
    os.write(master, typed.encode())
    output = b""
    try:
        while piece := os.read(master, 65536):
            output += piece
            if until(output.decode(errors="replace")):
                process.kill()
    except OSError:
        pass  # the program has ended, and with it the other end of the terminal
    os.close(master)
    return Shown(process.wait(30), output.decode(errors="replace"))
