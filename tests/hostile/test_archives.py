"""Tars made to do harm: none leads out of itself, fills the memory, or goes on for ever."""

from __future__ import annotations

import gzip
import json
import os
import tarfile
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.tars import layout_files, link, saved_files, tar_of, write
from layout.images import make_image
from regimport import copy, digest, tags
from regimport.archive import members, opened
from regimport.archive.members import scan
from regimport.archive.reader import ArchiveReader
from regimport.errors import RegimportError
from regimport.models.on_disk import ArchiveReference

ROOT = make_image("a").root.digest
FILES = layout_files(a=make_image("a"))
BLOB = f"blobs/sha256/{ROOT.encoded}"
LAYERS = [tar_of({"etc/one": b"1"})]


class Memory:
    """A tar in memory, which counts what is read of it."""

    def __init__(self, content: bytes, size: int | None = None) -> None:
        self.content = content
        self.size = len(content) if size is None else size
        self.most = 0

    def read(self, offset: int, size: int) -> bytes:
        self.most = max(self.most, size)
        return self.content[offset : offset + size]

    def has(self, end: int) -> bool:
        return end <= self.size


def header(name: str = "x", size: int = 0, kind: bytes = b"0", **changes: bytes) -> bytes:
    """A header by hand; `changes` are fields with their bytes, and the checksum is right."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT)[:512])
    for field, value in changes.items():
        start = {"octal": 124, "extended": 482}[field]
        block[start : start + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


@pytest.mark.parametrize("name", ["../escape", "/etc/passwd", "a/../../escape", "..", "./../../x"])
def test_names_that_lead_outside_are_written_nowhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    path = write(tmp_path / "in" / "x.tar", {name: b"evil", **FILES})
    before = sorted(tmp_path.rglob("*"))
    copy(f"oci-archive:{path}:a", f"oci:{tmp_path}/out")
    written = {file for file in tmp_path.rglob("*") if tmp_path / "out" not in file.parents}
    assert written == {*before, tmp_path / "out"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize(
    "target", ["/etc/hostname", "../../../../etc/hostname", BLOB, "index.json"]
)
def test_a_link_leads_nowhere_but_to_files_of_the_archive(
    tmp_path: Path, kind: bytes, target: str
) -> None:
    files: dict[str, bytes | tarfile.TarInfo] = {**FILES, "index.json": link(target, kind)}
    with pytest.raises(RegimportError):
        digest(f"oci-archive:{write(tmp_path / 'x.tar', files)}")


def test_a_docker_archive_cannot_name_a_file_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    for name in (str(tmp_path / "secret"), "../secret", "link", ""):
        files = saved_files(["a:1"], LAYERS) | {"link": link(str(tmp_path / "secret"))}
        listed = json.loads(files["manifest.json"])  # type: ignore[arg-type]
        listed[0]["Config"] = name
        files["manifest.json"] = json.dumps(listed).encode()
        with pytest.raises(RegimportError, match="in the archive"):
            digest(f"docker-archive:{write(tmp_path / 'x.tar', files)}")


def test_a_name_that_is_there_twice_is_refused_where_it_says_which_image_it_is(
    tmp_path: Path,
) -> None:
    evil = layout_files(a=make_image("evil"))
    path = tmp_path / "x.tar"
    raw = tar_of(FILES).rstrip(b"\0")
    padded = raw + bytes(-len(raw) % 512)
    path.write_bytes(padded + tar_of(evil))
    with pytest.raises(RegimportError, match="several files of this name"):
        digest(f"oci-archive:{path}")
    # A blob that is there twice is the same one, or is not what its digest says.
    path.write_bytes(padded + tar_of({BLOB: FILES[BLOB]}))
    assert digest(f"oci-archive:{path}") == ROOT


def test_a_blob_that_is_not_its_digest_is_not_copied(tmp_path: Path) -> None:
    for number, name in enumerate(name for name in FILES if name.startswith("blobs/")):
        path = write(tmp_path / "x.tar", FILES | {name: FILES[name][::-1]})
        with pytest.raises(RegimportError):
            copy(f"oci-archive:{path}", f"oci:{tmp_path}/out{number}:1")
        with pytest.raises(RegimportError):
            digest(f"oci:{tmp_path}/out{number}:1")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(header(size=0o7777777) + bytes(512), "in the midst of a file", id="long"),
        pytest.param(header(size=10, kind=b"x"), "in the midst of a header", id="no records"),
        pytest.param(header() + b"x" * 100, "in the midst of a header", id="cut"),
        pytest.param(header() + b"x" * 512, "checksum", id="garbage"),
        pytest.param(header() + header(octal=b"\x80" + b"\xff" * 11), "out of range", id="binary"),
        pytest.param(header() + header(octal=b"\xff" * 12), "out of range", id="negative"),
        pytest.param(header() + header(octal=b"99999999999\0"), "no number", id="no octal"),
        pytest.param(
            header(size=2**30, kind=b"x") + bytes(512), "more than 1048576 bytes", id="records"
        ),
        pytest.param(
            header(size=2**30, kind=b"L") + bytes(512), "more than 1048576 bytes", id="long name"
        ),
        pytest.param(
            header(size=512, kind=b"x") + b"999999999999 path=x\n".ljust(512, b"\0"),
            "cannot be read",
            id="length of a record",
        ),
        pytest.param(
            header(size=14, kind=b"x") + b"14 size=-1000\n".ljust(512, b"\0") + header(),
            "no number",
            id="size of a record",
        ),
        pytest.param(
            header(size=12, kind=b"g") + b"12 size=100\n".ljust(512, b"\0") + header(),
            "all files",
            id="global size",
        ),
        pytest.param(
            header(kind=b"S", extended=b"\1") + b"\1" * 512 * 3, "of a header", id="sparse map"
        ),
    ],
)
def test_a_damaged_or_hostile_header_ends_the_reading(raw: bytes, reason: str) -> None:
    tar = Memory(raw)
    with pytest.raises(RegimportError, match=reason):
        scan(tar)
    assert tar.most <= 1024 * 1024


def test_a_file_of_many_terabytes_is_skipped_and_not_read() -> None:
    size = 2**42
    raw = header("big", octal=b"\x80" + size.to_bytes(11, "big"))
    tar = Memory(raw, 512 + size)
    found, _ = scan(tar)
    member = found.find("big")
    assert member is not None
    assert (member.size, tar.most) == (size, 512)


def test_sparse_files_are_refused_where_they_are_needed_and_skipped_elsewhere(
    tmp_path: Path,
) -> None:
    old = header("index.json", size=512, kind=b"S") + bytes(512)
    records = b"22 GNU.sparse.major=1\n30 GNU.sparse.name=index.json\n"
    new = header(size=len(records), kind=b"x") + records.ljust(512, b"\0")
    new += header("GNUSparseFile.0/index.json", size=512) + bytes(512)
    for sparse in (old, new):
        (tmp_path / "x.tar").write_bytes(sparse + tar_of(FILES))
        with pytest.raises(RegimportError, match=r"several files|sparse"):
            digest(f"oci-archive:{tmp_path}/x.tar")
        rest = {name: raw for name, raw in FILES.items() if name != "index.json"}
        (tmp_path / "x.tar").write_bytes(sparse + tar_of(rest))
        with pytest.raises(RegimportError, match="sparse file"):
            digest(f"oci-archive:{tmp_path}/x.tar")
    renamed = header("other.json", size=512, kind=b"S") + bytes(512)
    (tmp_path / "x.tar").write_bytes(renamed + tar_of(FILES))
    assert digest(f"oci-archive:{tmp_path}/x.tar") == ROOT


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    files = FILES | {"index.json": link("a"), "a": link("b"), "b": link("index.json")}
    with pytest.raises(RegimportError, match="too many times"):
        digest(f"oci-archive:{write(tmp_path / 'x.tar', files)}")


def test_entries_without_end_end_and_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(Memory):
        def read(self, offset: int, size: int) -> bytes:
            return header(f"{offset:x}" * 8)

    monkeypatch.setattr(members, "_MAX_MEMBERS", 2000)
    with pytest.raises(RegimportError, match="more than 2000 entries"):
        scan(Endless(b"", 2**60))


def test_long_names_without_end_are_not_kept() -> None:
    long = b"n" * 1_000_000
    one = header(size=len(long), kind=b"L") + long + bytes(-len(long) % 512) + header()

    class Repeated(Memory):
        def read(self, offset: int, size: int) -> bytes:
            place = offset % len(one)
            return one[place : place + size] if offset < 50 * len(one) else b""

    tracemalloc.start()
    try:
        scan(Repeated(b"", 2**60))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 1024 * 1024


def test_a_stream_that_goes_on_after_its_tar_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "_MOST_AFTER_END", 100_000)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def feed() -> None:
        raw = tar_of(FILES)
        with suppress(BrokenPipeError), pipe.open("wb", buffering=0) as file:
            while True:
                file.write(raw)
                raw = bytes(65536)

    thread = threading.Thread(target=feed)
    thread.start()
    with pytest.raises(RegimportError, match="goes on after the end"):
        digest(f"oci-archive:{pipe}")
    thread.join()


def test_a_gzip_that_expands_to_zeros_expands_to_nothing(tmp_path: Path) -> None:

    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(200 * 1024 * 1024)))
    tracemalloc.start()
    try:
        with pytest.raises(RegimportError, match=r"goes on after the end|not an OCI archive"):
            digest(f"oci-archive:{tmp_path}/bomb.gz")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


@pytest.mark.parametrize("name", ["index.json", "manifest.json"])
@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"[" * 100_000, b"[{}]", b'[{"Config":3}]', b"\0", b"{}"]
)
def test_an_index_that_cannot_be_read_is_an_error_of_ours(
    tmp_path: Path, name: str, raw: bytes
) -> None:
    path = write(tmp_path / "x.tar", {name: raw})
    for kind in ("oci-archive", "docker-archive"):
        with pytest.raises(RegimportError):
            digest(f"{kind}:{path}:x")


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.update(Layers=[]),
        lambda image: image.update(Layers=["no"]),
        lambda image: image.update(Layers=[3]),
        lambda image: image.update(Layers="abc"),
        lambda image: image.update(Config=None),
        lambda image: image.update(Config="manifest.json"),
        lambda image: image.update(Layers=["x"] * 10_001),
    ],
)
def test_a_manifest_json_that_does_not_fit_its_files_is_refused(
    tmp_path: Path, change: Callable[[dict[str, object]], None]
) -> None:
    files = saved_files(["a:1"], LAYERS)
    listed = json.loads(files["manifest.json"])  # type: ignore[arg-type]
    change(listed[0])
    files["manifest.json"] = json.dumps(listed).encode()
    with pytest.raises(RegimportError):
        digest(f"docker-archive:{write(tmp_path / 'x.tar', files)}")


def test_odd_names_of_images_are_passed_over(tmp_path: Path) -> None:
    odd = ["", "x", "a b:1", "\x1b[31m:1", "A:1", "app:1"]
    path = write(tmp_path / "x.tar", saved_files(odd, LAYERS))
    assert list(tags(f"docker-archive:{path}")) == ["1"]


@given(st.data())
def test_no_damage_to_a_tar_raises_anything_but_an_error_of_ours(data: st.DataObject) -> None:
    raw = bytearray(tar_of(FILES | saved_files(["a:1"], LAYERS)))
    for _ in range(data.draw(st.integers(1, 8))):
        position = data.draw(st.integers(0, len(raw) - 1))
        raw[position : position + 8] = data.draw(st.binary(max_size=16))
    try:
        found, _ = scan(Memory(bytes(raw)))
        for name in ("index.json", "manifest.json", BLOB):
            found.find(name)
    except RegimportError:
        pass


@given(st.binary(max_size=3000))
def test_no_bytes_raise_anything_but_an_error_of_ours(raw: bytes) -> None:
    padded = raw + bytes(-len(raw) % 512)
    for content in (raw, padded, header() + padded):
        try:
            scan(Memory(content))
        except RegimportError:
            continue


def test_a_reader_that_was_never_used_is_closed_in_peace(tmp_path: Path) -> None:
    reader = ArchiveReader(ArchiveReference("oci-archive", str(tmp_path / "nowhere")))
    reader.close()
    with pytest.raises(RegimportError):
        reader.head_manifest("x")
