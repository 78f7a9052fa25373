"""A login that is stored where the file cannot be replaced, or need not be written."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from regimport.credentials.dockerconfig import load
from regimport.credentials.store import Store
from regimport.errors import RegimportError
from regimport.models.credential import Credential

_USER = Credential("alice", "wonder:land")
_BEFORE = json.dumps({"auths": {}, "psFormat": "x" * 500})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.json"
    path.write_text(_BEFORE)
    path.chmod(0o644)
    return path


def kept(path: Path) -> Credential | None:
    found = load(path)
    entry = found.entry("r.example", "app") if found else None
    return entry.credential if entry else None


@pytest.mark.parametrize(
    "number", [errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS]
)
def test_a_file_that_cannot_be_replaced_is_written_in_its_place(
    file: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_: object) -> Any:
        raise OSError(number, os.strerror(number))

    inode = file.stat().st_ino
    monkeypatch.setattr(Path, "replace", fail)
    Store(str(file)).save("r.example", _USER)
    assert kept(file) == _USER
    assert file.stat().st_ino == inode
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["psFormat"] == "x" * 500
    assert not list(file.parent.glob(".config.json.*"))
    assert Store(str(file)).erase("r.example")
    assert kept(file) is None


def test_a_folder_that_nothing_can_be_put_into_is_no_hindrance(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> Any:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr("tempfile.mkstemp", fail)
    Store(str(file)).save("r.example", _USER)
    assert kept(file) == _USER


def test_what_was_in_a_file_comes_back_where_it_cannot_be_written_to_the_end(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, left = os.pwrite, [10]

    def busy(*_: object) -> Any:
        raise OSError(errno.EBUSY, "busy")

    def full(handle: int, content: bytes, at: int) -> int:
        if at == 0 and left:
            return write(handle, content[: left.pop()], at)
        if at == 10:
            raise OSError(errno.ENOSPC, "no space")
        return write(handle, content, at)

    monkeypatch.setattr(Path, "replace", busy)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(RegimportError, match="the disk is full"):
        Store(str(file)).save("r.example", _USER)
    assert file.read_text() == _BEFORE


def test_a_full_disk_is_no_reason_to_write_in_place(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Any:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RegimportError, match="cannot be written: the disk is full"):
        Store(str(file)).save("r.example", _USER)
    assert file.read_text() == _BEFORE


def test_nothing_is_written_where_nothing_changes(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store(str(file)).save("r.example", _USER)
    before = file.read_bytes(), file.stat().st_ino, file.stat().st_mtime_ns

    def fail(*_: object) -> Any:
        raise AssertionError("written")

    monkeypatch.setattr(Path, "replace", fail)
    Store(str(file)).save("r.example", _USER)
    assert not Store(str(file)).erase("other.example")
    assert (file.read_bytes(), file.stat().st_ino, file.stat().st_mtime_ns) == before


def test_a_loop_of_links_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.symlink_to(path)
    with pytest.raises(RegimportError, match=r"config\.json cannot be"):
        Store(str(path)).save("r.example", _USER)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_with_a_byte_order_mark_is_kept_up_to_date(file: Path, encoding: str) -> None:
    file.write_text(_BEFORE, encoding=encoding)
    Store(str(file)).save("r.example", _USER)
    assert kept(file) == _USER
    assert json.loads(file.read_text())["psFormat"] == "x" * 500
