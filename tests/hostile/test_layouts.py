"""Layouts whose files are not what they are called, vanish, or are left behind."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import regimport
from regimport import CopyOptions, RetryPolicy
from regimport.layout.files import Files
from regimport.layout.folder import Incoming
from support.images import Image, many_platforms, single
from support.miniature import Miniature
from support.scripted import Heard, Say, Scripted

_AT_ONCE = RetryPolicy(first_delay=0, longest_delay=0)


@pytest.fixture
def image() -> Image:
    return many_platforms(platforms=2)


@pytest.fixture
def source(image: Image) -> Iterator[str]:
    registry = Miniature()
    registry.hold("app", image)
    with Scripted(registry) as server:
        yield f"{server.address}/app"


def _path(folder: Path, digest: str) -> Path:
    return folder.joinpath("blobs", *digest.split(":"))


def _assert_whole(folder: Path, image: Image) -> None:
    assert {d: _path(folder, d).read_bytes() for d in image.content()} == image.content()


@pytest.mark.parametrize("kind", ["blob", "manifest", "root"])
def test_a_file_of_the_right_size_with_other_bytes_is_not_taken_for_content(
    tmp_path: Path, source: str, image: Image, kind: str
) -> None:
    folder = tmp_path / "layout"
    regimport.copy(source, f"oci:{folder}:old")
    # It is not listed any more, but its files are there.
    (folder / "index.json").write_text('{"schemaVersion":2,"manifests":[]}')
    names = {
        "blob": next(iter(image.blobs)),
        "root": image.root,
        "manifest": next(iter(image.manifests)),
    }
    wrong = _path(folder, names[kind])
    wrong.write_bytes(b"x" * wrong.stat().st_size)
    regimport.copy(source, f"oci:{folder}:new")
    _assert_whole(folder, image)


def test_verify_reads_every_byte_of_a_layout_that_lists_the_image(
    tmp_path: Path, source: str, image: Image
) -> None:
    folder = tmp_path / "layout"
    regimport.copy(source, f"oci:{folder}:1")
    wrong = _path(folder, next(iter(image.blobs)))
    wrong.write_bytes(b"x" * wrong.stat().st_size)
    assert len(regimport.verify(source, f"oci:{folder}:1").differences) == 1
    (done,) = regimport.copy(
        source, f"oci:{folder}:1", check=False, options=CopyOptions(verify=True)
    ).targets
    assert done.status == "failed"


@pytest.mark.parametrize("which", ["a layer", "a manifest"])
def test_content_that_is_deleted_while_a_copy_runs_is_put_again_before_the_image_is_listed(
    tmp_path: Path, image: Image, which: str
) -> None:
    folder = tmp_path / "layout"
    registry = Miniature()
    registry.hold("app", image)
    layers = list(image.blobs)
    victim = layers[1] if which == "a layer" else next(iter(image.manifests))
    deleted: list[str] = []

    def script(heard: Heard) -> Say:
        # The last blob is asked for when the victim may be there already: it is deleted then.
        if heard.method == "GET" and "/blobs/" in heard.path and _path(folder, victim).exists():
            _path(folder, victim).unlink()
            deleted.append(victim)
        return registry(heard)

    if which == "a manifest":
        regimport_first = Miniature()
        regimport_first.hold("app", image)
        with Scripted(regimport_first) as first:
            regimport.copy(f"{first.address}/app", f"oci:{folder}:old")
        (folder / "index.json").write_text('{"schemaVersion":2,"manifests":[]}')
        for layer in layers:
            _path(folder, layer).unlink()
    with Scripted(script) as server:
        regimport.copy(
            f"{server.address}/app", f"oci:{folder}:1", options=CopyOptions(retry=_AT_ONCE, jobs=1)
        )
    assert deleted
    _assert_whole(folder, image)


def test_what_killed_copies_have_left_is_removed_and_what_a_process_writes_is_not(
    tmp_path: Path, source: str, image: Image
) -> None:
    folder = tmp_path / "layout"
    regimport.copy(source, f"oci:{folder}:1")
    script = (
        "import sys, os, signal\n"
        "from regimport.layout.files import Files\n"
        "from regimport.layout.folder import Incoming\n"
        "Incoming(Files(sys.argv[1])).write(b'x' * 1000)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    for _ in range(3):
        killed = subprocess.run([sys.executable, "-c", script, str(folder)], check=False)
        assert killed.returncode == -signal.SIGKILL
    assert len(list(folder.glob(".incoming-*"))) == 3
    (folder / ".incoming-of-the-user").write_text("kept")
    with Incoming(Files(folder)) as writing:
        writing.write(b"in progress")
        regimport.copy(source, f"oci:{folder}:2")
        left = {path.name for path in folder.glob(".incoming-*")}
        assert len(left) == 2
        assert ".incoming-of-the-user" in left
        writing.place("blobs", "kept")
    assert (folder / "blobs" / "kept").read_bytes() == b"in progress"


def test_a_layout_that_is_a_copy_of_another_is_written_without_what_was_left_in_that(
    tmp_path: Path, source: str, image: Image
) -> None:
    folder, other = tmp_path / "layout", tmp_path / "other"
    regimport.copy(source, f"oci:{folder}:1")
    (folder / f".incoming-{'0' * 16}").write_bytes(b"x")
    (folder / f".incoming-{'1' * 16}").symlink_to("/etc/hostname")
    shutil.copytree(folder, other, symlinks=True)
    with Scripted(Miniature()) as server:
        registry = Miniature()
        registry.hold("app", single("second"))
        server.script = registry
        regimport.copy(f"{server.address}/app", f"oci:{other}:2")
    assert [path.name for path in other.glob(".incoming-*")] == [f".incoming-{'1' * 16}"]
    _assert_whole(other, image)
