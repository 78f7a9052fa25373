"""Draw the picture in README.md: `python examples/picture.py examples/copy.svg`.

It shows what the real command prints on a terminal, between two embedded registries.
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
# The names that the picture shows instead of the addresses of the two registries.
SHOWN = ("registry.example:5000", "myregistry.example:5000")


def on_a_terminal(*command: str) -> str:
    """Run a command on a terminal of its own, and return what is left on the screen."""
    master, slave = pty.openpty()
    environment = os.environ | {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdout=slave, stderr=slave, env=environment)  # noqa: S603
    os.close(slave)
    output = b""
    try:
        while piece := os.read(master, 65536):
            output += piece
    except OSError:
        pass  # the program has ended, and with it the other end of the terminal
    process.wait()
    os.close(master)
    return _final_screen(output.decode())


def _final_screen(output: str) -> str:
    """Return what is on the screen after progress bars have been drawn and erased."""
    lines: list[str] = []
    for line in output.replace("\r\n", "\n").split("\n"):
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
            target_image = f"{registry.address}/mirror/hello-world"
            for arguments in (
                ("copy", "--progress", "plain", image, target_image),
                ("copy", image, target_image),
                (
                    "copy",
                    "--max-manifests",
                    "5",
                    "--max-layer-size",
                    "2300",
                    image,
                    f"{target_image}:strict",
                ),
                ("digest", "--full-ref", f"{target_image}:latest"),
            ):
                output = on_a_terminal(*program, *arguments)
                text = f"$ regimport {' '.join(arguments)}\n{output}\n"
                for real, shown in zip((source.address, registry.address), SHOWN, strict=True):
                    text = text.replace(real, shown)
                console.print(Text.from_ansi(text))
    console.save_svg(str(target), title="regimport")


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
