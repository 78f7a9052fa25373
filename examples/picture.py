"""Draws README's picture of a real run: `python examples/picture.py examples/copy.svg`.

Two embedded registries, the real command, and what it really prints on a terminal.
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from regimport.server.app import create_app
from regimport.server.run import serving

HERE = Path(__file__).parent
COLUMNS = 118
# Addresses that a reader will recognise, in place of the ports of the day.
SHOWN = ("registry.example:5000", "myregistry.example:5000")


def on_a_terminal(*command: str) -> str:
    """Run a command on a terminal of its own, and give what it leaves there."""
    master, slave = pty.openpty()
    environment = os.environ | {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdout=slave, stderr=slave, env=environment)  # noqa: S603
    os.close(slave)
    said = b""
    try:
        while piece := os.read(master, 65536):
            said += piece
    except OSError:
        pass  # the terminal's other end is gone: the program has ended
    process.wait()
    os.close(master)
    return _left(said.decode())


def _left(said: str) -> str:
    """Give what stays on the screen when bars have been drawn and wiped again."""
    lines: list[str] = []
    for line in said.replace("\r\n", "\n").split("\n"):
        kept = re.split(r"\x1b\[2K", line)[-1].rpartition("\r")[2]
        lines.append(re.sub(r"\x1b\[[0-9]*[A-HJKhl]|\x1b\[\?25[hl]", "", kept))
    return "\n".join(line for line in lines if line.strip())


def draw(target: Path) -> None:
    """Copy the example image twice, inspect it, and export the screen as an SVG."""
    console = Console(record=True, width=COLUMNS, force_terminal=True, file=io.StringIO())
    program = (sys.executable, "-m", "regimport")
    with tempfile.TemporaryDirectory() as folder:
        source_app = create_app(HERE / "hello-world" / "layout")
        with serving(app=source_app) as source, serving(Path(folder)) as registry:
            image = f"{source.address}/hello-world:latest"
            goal = f"{registry.address}/mirror/hello-world"
            for arguments in (
                ("copy", "--progress", "plain", image, goal),
                ("copy", image, goal),
                (
                    "copy",
                    "--max-manifests",
                    "5",
                    "--max-layer-size",
                    "2300",
                    image,
                    f"{goal}:strict",
                ),
                ("digest", "--full-ref", f"{goal}:latest"),
            ):
                said = on_a_terminal(*program, *arguments)
                text = f"$ regimport {' '.join(arguments)}\n{said}\n"
                for real, shown in zip((source.address, registry.address), SHOWN, strict=True):
                    text = text.replace(real, shown)
                console.print(Text.from_ansi(text))
    console.save_svg(str(target), title="regimport")


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
