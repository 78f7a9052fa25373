"""Parts of blobs: what a Range header asks for, and what a Content-Range of an upload says."""

from __future__ import annotations

import re

__all__ = ["Unsatisfiable", "chunk_range", "wanted_range"]

# Everything here has a bound, so that no header costs more than a look at it.
_RANGE = re.compile(
    r"bytes\s{0,9}=\s{0,9}([0-9]{0,18})\s{0,9}-\s{0,9}([0-9]{0,18})", re.IGNORECASE | re.ASCII
)
# The specification leaves out the unit and the total that RFC 9110 has; clients send both forms.
_CONTENT_RANGE = re.compile(
    r"(?:bytes[ =])?\s{0,9}([0-9]{1,18})-([0-9]{1,18})(?:/(?:[0-9]{1,18}|\*))?", re.ASCII
)


class Unsatisfiable(Exception):
    """A range that has no byte in the content."""


def wanted_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Give the first byte and the one behind the last that a Range header asks for.

    None for the whole content, also where the header asks for several ranges or makes no sense
    (RFC 9110, section 14.2, allows that). Raises `Unsatisfiable`.
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
    """Read the Content-Range of a chunk: its first byte, and its length; None if it is none."""
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is None:
        return None
    first, last = (int(number) for number in match.groups())
    return (first, last - first + 1) if last >= first else None
