"""The standard streams: open, able to show any text, and none of them the end of a copy.

A process may be started with a standard stream closed (`2>&-`). The next file or connection that
it opens would take the number of that stream.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys

TYPE_CHECKING = False  # as in `typing`, which takes long to load
if TYPE_CHECKING:
    from typing import TextIO

    # The buffer that a file is opened with; there is no public name for it at run time.
    from _typeshed import ReadableBuffer

__all__ = ["prepare_streams"]

_ERRORS = "regimport"
# What our own texts are written with besides ASCII.
_IN_ASCII = {
    "…": "...",
    "→": "->",
    "·": "-",
    "•": "*",
    "━": "-",
    "╸": "-",
    "╺": "-",
    "\u00a0": " ",
}


def prepare_streams() -> None:
    """Open the standard streams that are closed, and let each show any text.

    Nothing can be written to a standard output that was closed: a result that is lost is an error.
    What standard error does not take is dropped, since a copy need not end for it.
    """
    codecs.register_error(_ERRORS, _in_ascii)
    # In this order: each takes the lowest number that is free.
    opened = [
        _open(number, mode) for number, mode in enumerate((os.O_RDONLY,) * 2 + (os.O_WRONLY,))
    ]
    if sys.stdin is None or opened[0]:
        sys.stdin = io.TextIOWrapper(io.FileIO(0, "r", closefd=False), encoding="utf-8")
    if sys.stdout is None or opened[1]:
        sys.stdout = _writer(_Closed(1, "w", closefd=False), "utf-8")
    else:
        sys.stdout.reconfigure(errors=_ERRORS)  # type: ignore[union-attr]
    encoding = "utf-8" if sys.stderr is None else sys.stderr.encoding
    sys.stderr = _writer(_Forgiving(2, "w", closefd=False), encoding, line_buffering=True)


def _open(number: int, mode: int) -> bool:
    """Open a standard stream on the null device if it is closed; return whether it was."""
    try:
        os.fstat(number)
    except OSError:
        found = os.open(os.devnull, mode)
        if found != number:
            os.dup2(found, number)
            os.close(found)
        return True
    return False


def _writer(raw: io.FileIO, encoding: str, *, line_buffering: bool = False) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=encoding, errors=_ERRORS, line_buffering=line_buffering
    )


class _Closed(io.FileIO):
    """A standard output that was closed: whatever is written to it is lost."""

    def write(self, _data: ReadableBuffer, /) -> int:
        """Raise `OSError`."""
        raise OSError(errno.EIO, "standard output is closed")


class _Forgiving(io.FileIO):
    """Standard error: a disk that is full, or a reader that has gone, ends nothing."""

    def write(self, data: ReadableBuffer, /) -> int:
        """Write, and count what could not be written as written."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Return the replacement for characters that the encoding of a stream lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    failed = error.object[error.start : error.end]
    shown = "".join(
        _IN_ASCII.get(character) or character.encode("ascii", "backslashreplace").decode("ascii")
        for character in failed
    )
    return shown, error.end
