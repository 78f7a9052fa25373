"""Parts of blobs: the Range header of a download, and the Content-Range of an upload."""

from __future__ import annotations

import re

__all__ = ["Unsatisfiable", "chunk_range", "wanted_range"]

# All repetitions are bounded, so that no header takes long to match.
_RANGE = re.compile(
    r"bytes\s{0,9}=\s{0,9}([0-9]{0,18})\s{0,9}-\s{0,9}([0-9]{0,18})", re.IGNORECASE | re.ASCII
)
# The specification omits the unit and the total of RFC 9110; clients send both forms.
_CONTENT_RANGE = re.compile(
    r"(?:bytes[ =])?\s{0,9}([0-9]{1,18})-([0-9]{1,18})(?:/(?:[0-9]{1,18}|\*))?", re.ASCII
)


class Unsatisfiable(Exception):
    """A range has no byte in the content."""


def wanted_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first byte of a Range header and the one after its last.

    None for the whole content, also if the header has several ranges or is not valid, as RFC 9110,
    section 14.2, allows. Raise `Unsatisfiable` if the content has no byte in the range.
    """
    match = _RANGE.fullmatch((header or "").strip())
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(int(last) + 1 if last else size, size)
    if start >= stop:
        raise Unsatisfiable
    return start, stop


def chunk_range(header: str) -> tuple[int, int] | None:
    """Return the first byte and the length in a Content-Range; None if it is not valid."""
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is None:
        return None
    first, last = (int(number) for number in match.groups())
    return (first, last - first + 1) if last >= first else None
