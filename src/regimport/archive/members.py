"""Where the content of each file of a tar is; nothing is unpacked."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from regimport.archive.headers import (
    BLOCK,
    Header,
    Kind,
    damaged,
    parse_header,
    parse_records,
    text_of,
)
from regimport.errors import RegimportError, UsageError

__all__ = ["Bytes", "Member", "Members", "scan"]

# Far more than any archive of images has: a layout of Docker's old form has three for each layer.
_MAX_MEMBERS = 100_000
# A long name has at most 4 KiB, and extended attributes of a file 64 KiB each.
_MAX_RECORDS = 1024 * 1024
# Longer than the name of anything that an image consists of.
_MAX_NAME = 1024
_MAX_LINKS = 8
_SPARSE = "GNU.sparse."


class Bytes(Protocol):
    """What a tar is read from."""

    def read(self, offset: int, size: int) -> bytes:
        """Return the bytes at an offset: fewer than `size` only at the end."""

    def has(self, end: int) -> bool:
        """Return whether there are at least `end` bytes."""


class _Flaw(Enum):
    """Why the content of a name cannot be used."""

    SEVERAL = "the archive has several files of this name, and which one counts is unclear"
    SPARSE = "it is stored as a sparse file, which is not read"
    OUTSIDE = "it is a link that leads out of the archive"
    LINKS = "it is a link to a link, too many times over"


@dataclass(frozen=True, slots=True)
class Member:
    """A file of a tar: its content is `size` bytes from `offset` on."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class _Link:
    """A link, and the path that it leads to, from the root of the archive."""

    path: str


class Members:
    """The files of a tar by their normalised paths; a link stands for the file it leads to."""

    def __init__(self, found: Mapping[str, Member | _Link | _Flaw]) -> None:
        self._found = found

    def find(self, path: str) -> Member | None:
        """Return the file of a path; None if there is none.

        Raise `RegimportError` if there is something of that name whose content cannot be used.
        """
        wanted = _normal(path)
        for _ in range(_MAX_LINKS):
            if wanted is None:
                raise _unusable(path, _Flaw.OUTSIDE)
            found = self._found.get(wanted)
            if not isinstance(found, _Link):
                if isinstance(found, _Flaw):
                    raise _unusable(path, found)
                return found
            wanted = _normal(found.path)
        raise _unusable(path, _Flaw.LINKS)


def scan(tar: Bytes) -> tuple[Members, int]:
    """Read all headers of a tar; return its files, and where it ends.

    Raise `RegimportError` for a tar that is cut off or damaged, or has too many entries.
    """
    found: dict[str, Member | _Link | _Flaw] = {}
    records: dict[str, str] = {}
    offset = count = 0
    while True:
        block = tar.read(offset, BLOCK)
        # Some programs write no empty blocks at the end.
        header = _header(block, first=offset == 0) if block else None
        if header is None:
            return Members(found), offset + len(block)
        count += 1
        if count > _MAX_MEMBERS:
            raise damaged(f"it has more than {_MAX_MEMBERS} entries")
        data = offset + BLOCK
        if header.kind in _EXTENSIONS:
            records |= _extension(tar, header, data)
            offset = data + _padded(header.size)
            continue
        data = _after_sparse_map(tar, header, data)
        size = int(records.get("size", header.size)) if header.size else 0
        if not tar.has(data + size):
            raise damaged("it ends in the midst of a file")
        _record(found, header, records, Member(data, size))
        offset = data + _padded(size)
        records.clear()


def _header(block: bytes, *, first: bool) -> Header | None:
    try:
        if len(block) < BLOCK:
            raise damaged("it ends in the midst of a header")
        return parse_header(block)
    except RegimportError as error:
        if first:
            raise UsageError(
                "the file is not an archive: it does not begin as a tar does",
                hint="name a file that `docker save` or `regimport copy` has written",
            ) from error
        raise


_EXTENSIONS = frozenset({Kind.RECORDS, Kind.GLOBAL_RECORDS, Kind.LONG_NAME, Kind.LONG_LINK})


def _extension(tar: Bytes, header: Header, offset: int) -> Mapping[str, str]:
    """Return what a header says about the entry that follows it."""
    if header.size > _MAX_RECORDS:
        raise damaged(f"a {header.kind.value} has more than {_MAX_RECORDS} bytes")
    content = tar.read(offset, header.size)
    if len(content) < header.size:
        raise damaged("it ends in the midst of a header")
    if header.kind is Kind.LONG_NAME:
        return {"path": text_of(content.partition(b"\0")[0])}
    if header.kind is Kind.LONG_LINK:
        return {"linkpath": text_of(content.partition(b"\0")[0])}
    records = parse_records(content)
    if header.kind is Kind.RECORDS:
        return records
    if records.keys() & {"path", "linkpath", "size"} or _is_sparse(records):
        raise damaged("a global pax header gives all files one name or size")
    return {}


def _after_sparse_map(tar: Bytes, header: Header, offset: int) -> int:
    """Return where the content of an entry begins: GNU's sparse files have more headers first."""
    extended = header.extended
    while extended:
        block = tar.read(offset, BLOCK)
        if len(block) < BLOCK:
            raise damaged("it ends in the midst of a header")
        extended = block[504] != 0
        offset += BLOCK
    return offset


def _record(
    found: dict[str, Member | _Link | _Flaw],
    header: Header,
    records: Mapping[str, str],
    member: Member,
) -> None:
    """Note what an entry is, unless its name is none that could be asked for."""
    name = records.get("GNU.sparse.name") or records.get("path", header.name)
    path = _normal(name)
    if path is None or header.kind in {Kind.OTHER, Kind.UNKNOWN}:
        return
    entry: Member | _Link | _Flaw = member
    link = records.get("linkpath", header.link)
    if header.kind is Kind.SPARSE or _is_sparse(records):
        entry = _Flaw.SPARSE
    elif header.kind is Kind.SYMBOLIC_LINK:
        target = link if link.startswith("/") else posixpath.join(posixpath.dirname(path), link)
        entry = _Flaw.OUTSIDE if _normal(target) is None else _Link(target)
    elif header.kind is Kind.HARD_LINK:
        entry = _Flaw.OUTSIDE if _normal(link) is None else _Link(link)
    old = found.get(path)
    # A blob is named by its digest, and checked against it: the second is as good as the first.
    same_blob = path.startswith("blobs/") and isinstance(entry, Member) and isinstance(old, Member)
    if old is None:
        found[path] = entry
    elif not (same_blob and isinstance(old, Member) and old.size == member.size):
        found[path] = _Flaw.SEVERAL


def _is_sparse(records: Mapping[str, str]) -> bool:
    return any(key.startswith(_SPARSE) for key in records)


def _normal(path: str) -> str | None:
    """Return a path without `.` and `..`; None if it is too long or leads out of the archive."""
    if not path or len(path) > _MAX_NAME or path.startswith("/"):
        return None
    normal = posixpath.normpath(path)
    return None if normal in {".", ".."} or normal.startswith("../") else normal


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _unusable(path: str, flaw: _Flaw) -> RegimportError:
    return RegimportError(
        f"{path} in the archive cannot be used: {flaw.value}",
        hint="make the archive again, with `tar -cf FILE -C DIRECTORY .` for example",
    )
