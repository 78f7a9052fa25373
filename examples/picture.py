"""Draw the picture in README.md: `python examples/picture.py examples/copy.svg`.

It shows what the real command draws on a terminal while it copies between two embedded
registries, and what it prints at the end.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import pty
import random
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

from regimport.server.app import create_app
from regimport.server.run import serving

HERE = Path(__file__).parent
COLUMNS, LINES = 118, 24
# The names that the picture shows instead of the addresses of the two registries.
SHOWN = ("registry.example", "myregistry.example")
PLATFORMS = ("amd64", "arm64", "s390x")
# The sizes of a platform's layers, in bytes; the first of them is the same for all platforms.
LAYERS = (3_000_000, 9_500_000, 4_200_000, 1_300_000)

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def write_image(layout: Path) -> None:
    """Write an OCI image layout with an image of random layers, the same each time."""
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(content: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    def put_json(document: dict[str, object]) -> dict[str, object]:
        document = {"schemaVersion": 2, **document}
        return put(json.dumps(document).encode(), str(document["mediaType"]))

    manifests = []
    for name in PLATFORMS:
        platform = {"os": "linux", "architecture": name}
        layers = [
            put(random.Random(f"{number and name}{number}").randbytes(size), _LAYER)  # noqa: S311
            for number, size in enumerate(LAYERS)
        ]
        created = {"created": "2026-10-14T09:30:00Z", **platform}
        config = put(json.dumps(created).encode(), _CONFIG)
        manifest = put_json({"mediaType": _MANIFEST, "config": config, "layers": layers})
        manifests.append({**manifest, "platform": platform})
    index = put_json({"mediaType": _INDEX, "manifests": manifests})
    tagged = {**index, "annotations": {"org.opencontainers.image.ref.name": "3"}}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [tagged]}))
    (layout / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))


def on_a_terminal(*command: str) -> list[str]:
    """Run a command on a terminal of its own, and return each picture that it drew there."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = os.environ | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
    process = subprocess.Popen(  # noqa: S603
        command, stdin=slave, stdout=slave, stderr=slave, env=environment
    )
    os.close(slave)
    output = b""
    try:
        while piece := os.read(master, 65536):
            output += piece
    except OSError:
        pass  # the program has ended, and with it the other end of the terminal
    process.wait()
    os.close(master)
    # What is drawn anew is erased line by line before.
    drawn = re.split(r"\r?\x1b\[2K(?:\x1b\[1A\x1b\[2K)*", output.decode())
    return [re.sub(r"\x1b\[[?0-9]*[A-HJKhl]|\r", "", picture).strip("\n") for picture in drawn]


def draw(target: Path) -> None:
    """Copy an image, inspect it, exceed a limit, and export the screens as an SVG."""
    console = Console(record=True, width=COLUMNS, force_terminal=True, file=io.StringIO())
    program = (sys.executable, "-m", "regimport")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as layout:
        write_image(Path(layout) / "python")
        with (
            serving(app=create_app(Path(layout) / "python")) as source,
            serving(Path(folder)) as registry,
        ):
            addresses = (source.address, registry.address)

            def show(command: str, *pictures: str) -> None:
                console.print(Text(f"$ {_shown(command, addresses)}", style="bold"))
                for picture in pictures:
                    console.print(Text.from_ansi(_shown(picture, addresses)))
                console.print()

            image, copied = f"{source.address}/python:3", f"{registry.address}/python"
            copy = ("copy", "--jobs", "4", image, copied)
            pictures = on_a_terminal(*program, *copy, "--limit-rate", "9M")
            moving = [picture for picture in pictures if "waiting" in picture]
            show(f"regimport {' '.join(copy)}", moving[len(moving) * 2 // 3], "", pictures[-1])
            inspect = ("inspect", f"{copied}:3")
            show(f"regimport {' '.join(inspect)}", on_a_terminal(*program, *inspect)[-1])
            limited = ("copy", "--max-layer-size", "5MB", image, f"{registry.address}/strict/")
            show(f"regimport {' '.join(limited)}", on_a_terminal(*program, *limited)[-1])
    console.save_svg(str(target), title="regimport")


def _shown(text: str, addresses: tuple[str, str]) -> str:
    """Return text with the names that are shown in the place of addresses."""
    for real, shown in zip(addresses, SHOWN, strict=True):
        text = text.replace(real, shown)
    return text


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
