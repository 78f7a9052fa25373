"""What is left of an archive whose writer is killed or interrupted, and what becomes of that."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.actions import NoAnswer
from faults.message import Asked
from faults.proxy import ALWAYS, Fault, FaultyRegistry
from regimport import copy, inspect
from regimport.server.run import serving
from support.client import Client
from support.images import Image, single
from support.program import Program


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with serving(tmp_path / "registry") as running:
        yield running.address


@pytest.fixture
def path(tmp_path: Path, registry: str) -> Path:
    """An archive that has an image already."""
    found = tmp_path / "archives" / "x.tar"
    found.parent.mkdir()
    Client(registry).push("old", single("old"), "1")
    copy(f"{registry}/old:1", f"oci-archive:{found}")
    return found


def _killed(program: Program, registry: str, path: Path, how: signal.Signals) -> int:
    """Start to add an image, whose layer never comes, and send a signal once it is asked for."""
    image: Image = single("new")
    Client(registry).push("new", image, "1")
    layer = list(image.blobs)[1]
    written = [path.with_name(path.name)]
    asked = threading.Event()

    def seen(request: Asked) -> None:
        if layer in request.path and request.method == "GET":
            asked.set()

    with FaultyRegistry(registry, [Fault("GET blob", NoAnswer(), ALWAYS, layer)]) as source:
        source.seen = seen
        process = program.start("copy", f"{source.address}/new:1", f"oci-archive:{path}:new")
        assert asked.wait(30)
        # The config is written while the layer is waited for.
        watcher = threading.Event()
        while process.poll() is None and len(written) < 2:
            written = list(path.parent.iterdir())
            watcher.wait(0.01)
        process.send_signal(how)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return process.returncode


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_the_old_archive_is_whole_and_what_was_left_goes_with_the_next_write(
    program: Program, registry: str, path: Path, how: signal.Signals, code: int
) -> None:
    before = path.read_bytes()
    assert _killed(program, registry, path, how) == code
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == (2 if how is signal.SIGKILL else 1)
    copy(f"{registry}/new:1", f"oci-archive:{path}:new")
    assert list(path.parent.iterdir()) == [path]
    assert inspect(f"oci-archive:{path}:new").root.descriptor.digest == single("new").root


def test_what_another_writer_is_writing_and_what_has_another_name_stays(
    registry: str, path: Path
) -> None:
    busy = path.with_name(f".{path.name}.{'a' * 16}")
    others = [path.with_name(name) for name in (".x.tar.notes", f".y.tar.{'b' * 16}")]
    link = path.with_name(f".{path.name}.{'c' * 16}")
    for other in (busy, *others):
        other.write_bytes(b"1")
    link.symlink_to(others[0])
    Client(registry).push("new", single("new"), "1")
    descriptor = os.open(busy, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        copy(f"{registry}/new:1", f"oci-archive:{path}:new")
        assert set(path.parent.iterdir()) == {path, busy, *others, link}
    finally:
        os.close(descriptor)
    copy(f"{registry}/old:1", f"oci-archive:{path}:again")
    assert set(path.parent.iterdir()) == {path, *others, link}
