"""The headers of a tar, as values: POSIX.1-2001 (pax), with GNU's long names and numbers.

`tarfile` reads the headers of a hostile archive into memory whatever their size, and extracts by
name; here nothing is needed but where the content of each file is.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from regimport.errors import RegimportError
from regimport.values import dataclass

__all__ = ["BLOCK", "Header", "Kind", "damaged", "parse_header", "parse_records", "text_of"]

BLOCK = 512
# The largest size that can be an offset in a file.
_MAX_SIZE = 2**63 - 1
_CHECKSUM = slice(148, 156)
_OCTAL_DIGITS = frozenset(b"01234567")


class Kind(Enum):
    """What an entry of a tar is, as far as it matters here."""

    FILE = "file"
    HARD_LINK = "hard link"
    SYMBOLIC_LINK = "symbolic link"
    SPARSE = "sparse file"
    RECORDS = "pax header"
    GLOBAL_RECORDS = "global pax header"
    LONG_NAME = "long name"
    LONG_LINK = "long link name"
    # Folders, devices and pipes: they have no content.
    OTHER = "other"
    # Of types that later standards may add: they have content, which is skipped.
    UNKNOWN = "unknown"


_KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,
    b"1": Kind.HARD_LINK,
    b"2": Kind.SYMBOLIC_LINK,
    b"S": Kind.SPARSE,
    b"x": Kind.RECORDS,
    b"X": Kind.RECORDS,
    b"g": Kind.GLOBAL_RECORDS,
    b"L": Kind.LONG_NAME,
    b"K": Kind.LONG_LINK,
    b"3": Kind.OTHER,
    b"4": Kind.OTHER,
    b"5": Kind.OTHER,
    b"6": Kind.OTHER,
}


@dataclass(frozen=True, slots=True)
class Header:
    """One header: `size` is the number of bytes that follow it, `link` where a link leads.

    `extended` says that more headers of a sparse file follow before its content.
    """

    name: str
    kind: Kind
    size: int
    link: str
    extended: bool = False


def parse_header(block: bytes) -> Header | None:
    """Read a block of 512 bytes; None for the empty block that ends an archive.

    Raise `RegimportError` for a block that is no header.
    """
    if not any(block):
        return None
    stored = _octal(block[_CHECKSUM])
    bare = block[:148] + b" " * 8 + block[156:]
    # Some old programs summed signed characters.
    if stored not in {sum(bare), sum(bare) - 256 * sum(byte > 127 for byte in bare)}:
        raise damaged("the checksum of a header is wrong")
    name = _string(block[:100])
    if block[257:263] == b"ustar\0" and block[345] != 0:
        name = f"{_string(block[345:500])}/{name}"
    kind = _KINDS.get(block[156:157], Kind.UNKNOWN)
    if kind is Kind.FILE and name.endswith("/"):
        kind = Kind.OTHER
    size = _number(block[124:136])
    if kind in {Kind.OTHER, Kind.HARD_LINK, Kind.SYMBOLIC_LINK}:
        size = 0
    extended = kind is Kind.SPARSE and block[482] != 0
    return Header(name, kind, size, _string(block[157:257]), extended)


def parse_records(content: bytes) -> Mapping[str, str]:
    """Read the records of a pax header: lines of `LENGTH KEY=VALUE`, the length being the line's.

    Raise `RegimportError` for what is no such line, and for a size that is no number.
    """
    records: dict[str, str] = {}
    position = 0
    while position < len(content):
        space = content.find(b" ", position, position + 20)
        digits = content[position:space]
        if space < 0 or not digits.isdigit():
            raise damaged("a pax header cannot be read")
        end = position + int(digits)
        line = content[space + 1 : end]
        key, equals, value = line.partition(b"=")
        if end > len(content) or not equals or not value.endswith(b"\n"):
            raise damaged("a pax header cannot be read")
        records[text_of(key)] = text_of(value[:-1])
        position = end
    size = records.get("size", "0")
    if not (size.isascii() and size.isdigit()) or len(size) > 20 or int(size) > _MAX_SIZE:
        raise damaged("a pax header has a size that is no number")
    return records


def text_of(content: bytes) -> str:
    """Return a name as text; it is compared, and never used as a path on disk."""
    return content.decode("utf-8", "surrogateescape")


def damaged(reason: str) -> RegimportError:
    """Return the error for an archive that cannot be read to its end."""
    return RegimportError(
        f"the archive is damaged: {reason}",
        hint="make or download it again; `tar -tvf FILE` shows how far it can be read",
    )


def _string(content: bytes) -> str:
    return text_of(content.partition(b"\0")[0])


def _number(content: bytes) -> int:
    """Read a number: octal digits, or GNU's binary form, whose first bit is set."""
    if content[0] & 0x80:
        number = int.from_bytes(bytes([content[0] & 0x7F]) + content[1:], "big")
        if content[0] & 0x40 or number > _MAX_SIZE:
            raise damaged("a header has a size that is out of range")
        return number
    octal = _octal(content)
    if octal is None:
        raise damaged("a header has a size that is no number")
    return octal


def _octal(content: bytes) -> int | None:
    """Return an octal number; None if it is none. An empty field is 0."""
    digits = content.strip(b" \0")
    return int(digits or b"0", 8) if set(digits) <= _OCTAL_DIGITS else None
