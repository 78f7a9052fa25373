"""What goes wrong on disk: links, full disks, wrong content, several writers, a kill."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest

from layout.images import LAYER, assert_whole_layout, make_image, store
from regimport.errors import ContentMismatch, InvalidManifest, RegimportError
from regimport.layout.reader import LayoutReader
from regimport.layout.writer import Layout
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import MAX_MANIFEST_BYTES

CONTENT = b"0123456789" * 100
BLOB = Descriptor(LAYER, Digest.of(CONTENT), len(CONTENT))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store(Layout(tmp_path / "layout"), make_image(), "x")
    return tmp_path / "layout"


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.name.startswith(".")]


@pytest.mark.parametrize("which", ["blob", "index.json", "blobs", "blobs/sha256"])
def test_a_link_in_a_layout_is_not_followed(folder: Path, tmp_path: Path, which: str) -> None:
    root = make_image().root.digest
    linked = folder / (f"blobs/sha256/{root.encoded}" if which == "blob" else which)
    linked.rename(tmp_path / "elsewhere")
    linked.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RegimportError, match="cannot be used") as caught:
        LayoutReader(folder).get_manifest("x")
    assert caught.value.hint is not None


def test_the_folder_itself_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert LayoutReader(tmp_path / "link").get_manifest("x").digest == make_image().root.digest


def test_a_named_pipe_in_the_place_of_a_blob_holds_nobody(folder: Path) -> None:
    path = folder / "blobs/sha256" / make_image().root.digest.encoded
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(RegimportError, match="cannot be used"):
        LayoutReader(folder).get_manifest("x")


def test_a_manifest_beyond_the_limit_is_not_read(folder: Path) -> None:
    path = folder / "blobs/sha256" / make_image().root.digest.encoded
    with path.open("wb") as file:
        file.truncate(MAX_MANIFEST_BYTES + 1)
    with pytest.raises(InvalidManifest, match="has more than"):
        LayoutReader(folder).get_manifest("x")


@pytest.mark.parametrize("wrong", [CONTENT[:-1], CONTENT + b"!", CONTENT[::-1], b""])
def test_content_that_is_not_the_blob_is_not_stored(folder: Path, wrong: bytes) -> None:
    upload = Layout(folder).start_upload(BLOB)
    assert upload is not None
    with pytest.raises(ContentMismatch):
        upload.send(iter([wrong]))
    assert not Layout(folder).has_blob(BLOB)
    assert leftovers(folder) == []


def test_what_the_content_raises_goes_through_and_nothing_is_left(folder: Path) -> None:
    # Also an OSError: it is the source's, not one of this disk.
    def breaking() -> Iterator[bytes]:
        yield CONTENT[:10]
        raise ConnectionResetError("gone")

    upload = Layout(folder).start_upload(BLOB)
    assert upload is not None
    with pytest.raises(ConnectionResetError, match="gone"):
        upload.send(breaking())
    upload.cancel()
    assert leftovers(folder) == []
    assert not Layout(folder).has_blob(BLOB)


def _told(code: int) -> str:
    return "the disk is full" if code == errno.ENOSPC else os.strerror(code)


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_is_told_and_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(code, os.strerror(code))

    layout = Layout(folder)
    upload = layout.start_upload(BLOB)
    assert upload is not None
    before = (folder / "index.json").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(os, call, full)
        with pytest.raises(RegimportError, match=_told(code)):
            upload.send(iter([CONTENT]))
        with pytest.raises(RegimportError, match=_told(code)):
            layout.put_manifest(make_image("other").root, "x")
    assert leftovers(folder) == []
    assert (folder / "index.json").read_bytes() == before
    assert_whole_layout(folder)


def test_a_blob_is_read_in_pieces(folder: Path) -> None:
    large = bytes(3 * 1024 * 1024 + 5)
    blob = Descriptor(LAYER, Digest.of(large), len(large))
    upload = Layout(folder).start_upload(blob)
    assert upload is not None
    upload.send(iter([large]))
    with LayoutReader(folder).read_blob(blob) as chunks:
        sizes = [len(chunk) for chunk in chunks]
    assert sum(sizes) == len(large)
    assert max(sizes) <= 1024 * 1024


def test_threads_that_write_at_once_lose_no_tag(tmp_path: Path) -> None:
    folder = tmp_path / "new"

    def write(number: int) -> None:
        store(Layout(folder), make_image(f"image {number % 4}"), f"tag-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    assert set(chain.from_iterable(LayoutReader(folder).tag_pages())) == {
        f"tag-{number}" for number in range(40)
    }
    assert_whole_layout(folder)
    assert leftovers(folder) == []


_WRITER = """
import sys
sys.path.insert(0, {tests!r})
from layout.images import make_image, store
from regimport.layout.writer import Layout
print("ready", flush=True)
sys.stdin.readline()
for number in range({count}):
    store(Layout({folder!r}), make_image(f"{name} {{number}}"), f"{name}-{{number}}")
    print(number, flush=True)
"""


def writer(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    tests = str(Path(__file__).parent.parent)
    program = _WRITER.format(tests=tests, folder=str(folder), name=name, count=count)
    return subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_processes_that_create_and_write_one_layout_lose_no_tag(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    processes = [writer(folder, f"p{number}", 10) for number in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.communicate("go\n")
        assert process.returncode == 0
    expected = {f"p{number}-{count}" for number in range(3) for count in range(10)}
    assert set(chain.from_iterable(LayoutReader(folder).tag_pages())) == expected
    assert_whole_layout(folder)


@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_killed_writer_leaves_a_whole_layout(tmp_path: Path, after: int) -> None:
    folder = tmp_path / "new"
    with writer(folder, "killed", 10_000) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        for line in process.stdout:
            if line == f"{after}\n":
                break
        process.kill()
    assert_whole_layout(folder)
    store(Layout(folder), make_image("next"), "next")
    assert LayoutReader(folder).get_manifest("next").digest == make_image("next").root.digest
