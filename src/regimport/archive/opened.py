"""Archives as bytes at offsets: the file itself, or a copy in TMPDIR of what is not seekable."""

from __future__ import annotations

import errno
import os
import stat
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain

from regimport.errors import Interrupted, NotFound, RegimportError, UsageError
from regimport.models.on_disk import STREAM
from regimport.redact import reason_of

__all__ = [
    "PIECE",
    "PlainFile",
    "SharedFile",
    "Spool",
    "explained",
    "open_archive",
    "temporary",
    "write_at",
]

# How much is read and written at once, in bytes.
PIECE = 1024 * 1024
# What may follow the end of a tar on standard input: tar fills its last record with zeros, and
# records have 10 KiB unless somebody wants larger ones.
_MOST_AFTER_END = 64 * 1024 * 1024
_GZIP = b"\x1f\x8b"
# Compressions that are not read, by their first bytes.
_COMPRESSIONS = {
    b"BZh": ("bzip2", "bzip2 -dc"),
    b"\xfd7zXZ\0": ("xz", "xz -dc"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd -dc"),
    b"\x04\x22\x4d\x18": ("lz4", "lz4 -dc"),
}


class SharedFile:
    """A file descriptor that threads use; it is closed when the last of them is done with it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._users = 1

    @contextmanager
    def borrow(self) -> Iterator[int]:
        """Use the descriptor; raise `Interrupted` if the file was closed."""
        with self._lock:
            if self._users == 0:
                raise Interrupted
            self._users += 1
        try:
            yield self._descriptor
        finally:
            self._release()

    def close(self) -> None:
        """Close the file, once nobody uses it any more; call it once."""
        self._release()

    def _release(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                os.close(self._descriptor)


class PlainFile:
    """An archive that is a file on disk."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._file = SharedFile(descriptor)
        self._name = name
        self.status = os.fstat(descriptor)

    def read(self, offset: int, size: int) -> bytes:
        """Return the bytes at an offset: fewer than `size` only at the end."""
        with self._file.borrow() as descriptor, explained(self._name):
            return _read_at(descriptor, offset, size)

    def has(self, end: int) -> bool:
        """Return whether there are at least `end` bytes."""
        return end <= self.status.st_size

    def finish(self, end: int) -> None:
        """Do nothing: what follows the end of the tar is not read."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Spool:
    """A copy, in TMPDIR, of an archive that comes in one stream; it grows as it is read."""

    def __init__(self, descriptor: int, name: str, stopped: Callable[[], bool]) -> None:
        self._stream = SharedFile(descriptor)
        self._pieces = _unzipped(_pieces(self._stream, name, stopped), name)
        self._name = name
        self._size = 0
        try:
            with explained(name):
                self._file = SharedFile(temporary())
        except BaseException:
            self._stream.close()
            raise

    def read(self, offset: int, size: int) -> bytes:
        """Return the bytes at an offset: fewer than `size` only at the end."""
        self._fill(offset + size)
        with self._file.borrow() as descriptor, explained(self._name):
            return _read_at(descriptor, offset, size)

    def has(self, end: int) -> bool:
        """Return whether there are at least `end` bytes, having read so many."""
        self._fill(end)
        return self._size >= end

    def finish(self, end: int) -> None:
        """Read what follows the tar, so that its writer ends in order; keep none of it.

        Raise `RegimportError` if it is too much.
        """
        for piece in self._pieces:
            self._size += len(piece)
            if self._size - end > _MOST_AFTER_END:
                raise RegimportError(
                    f"{self._name} goes on after the end of the archive",
                    hint="give it one tar file alone",
                )

    def close(self) -> None:
        """Close the stream, and the copy; it has no name, and is gone then."""
        self._stream.close()
        self._file.close()

    def _fill(self, end: int) -> None:
        while self._size < end and (piece := next(self._pieces, b"")):
            with self._file.borrow() as descriptor, explained(f"{self._name}, copied to TMPDIR,"):
                write_at(descriptor, self._size, piece)
            self._size += len(piece)


def open_archive(path: str, name: str, stopped: Callable[[], bool]) -> PlainFile | Spool:
    """Open an archive: a file, standard input for `-`, or a pipe; gzip is undone in a copy.

    `name` is what messages call it. Raise `NotFound` and `UsageError`; `Interrupted` while it is
    copied, if it is `stopped`.
    """
    with explained(name):
        # A descriptor of our own: it is closed, and the caller's standard input is not.
        descriptor = os.dup(0) if path == STREAM else _open(path, name)
    try:
        plain = _is_plain(descriptor, path, name)
    except BaseException:
        os.close(descriptor)
        raise
    return PlainFile(descriptor, name) if plain else Spool(descriptor, name, stopped)


def _is_plain(descriptor: int, path: str, name: str) -> bool:
    """Return whether it can be read where it is; raise `UsageError` for what is no archive."""
    with explained(name):
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(kind):
            raise _no_archive(name, "folder", f"for an image layout, write oci:{path}")
        if os.isatty(descriptor):
            raise _no_archive(name, "terminal", "add `< FILE`, or write the path of the file")
        if path == STREAM or not stat.S_ISREG(kind):
            return False
        return not _is_compressed(os.pread(descriptor, 8, 0), name)


def _no_archive(name: str, kind: str, hint: str) -> UsageError:
    error = UsageError(f"{name} is a {kind}, and no archive", hint=hint)
    return error.located(None, name)


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn an `OSError` into a `RegimportError` about the archive `name`."""
    try:
        yield
    except OSError as error:
        hint = "check the path and the permissions"
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            hint = "free some space, or set TMPDIR to a larger disk, if that is full"
        raise RegimportError(f"{name} cannot be used: {reason_of(error)}", hint=hint) from error


def write_at(descriptor: int, offset: int, content: bytes | memoryview) -> None:
    """Write all of `content` at an offset of a file."""
    rest = memoryview(content)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        offset += written
        rest = rest[written:]


def _read_at(descriptor: int, offset: int, size: int) -> bytes:
    content = b""
    while piece := os.pread(descriptor, size - len(content), offset + len(content)):
        content += piece
    return content


def _open(path: str, name: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotFound(f"there is no archive at {path}", hint="check the path").located(
            None, name
        ) from None


def temporary() -> int:
    """Return a new file in TMPDIR that has no name."""
    import tempfile  # noqa: PLC0415 - where an archive comes in a stream

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _pieces(stream: SharedFile, name: str, stopped: Callable[[], bool]) -> Iterator[bytes]:
    while True:
        if stopped():
            raise Interrupted
        with stream.borrow() as descriptor, explained(name):
            piece = os.read(descriptor, PIECE)
        if not piece:
            return
        yield piece


def _unzipped(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Undo gzip, if that is what the pieces are."""
    first = next(pieces, b"")
    while 0 < len(first) < 8 and (more := next(pieces, b"")):
        first += more
    every = chain([first], pieces)
    yield from _inflated(every, name) if _is_compressed(first[:8], name) else every


def _is_compressed(start: bytes, name: str) -> bool:
    """Return whether it is gzip; raise `UsageError` for a compression that is not read."""
    for magic, (kind, command) in _COMPRESSIONS.items():
        if start.startswith(magic):
            raise UsageError(
                f"{name} is compressed with {kind}, which is not read",
                hint=f"decompress it: `{command} FILE | regimport …` with - in the place of FILE",
            ).located(None, name)
    return start.startswith(_GZIP)


def _inflated(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Undo gzip, in pieces that stay small however much a piece expands to."""
    inflater, complete = zlib.decompressobj(wbits=31), True
    for piece in pieces:
        rest = piece
        while rest:
            if complete:
                # gzip files may be one after another; zeros may fill the last block of a tape.
                rest = rest.lstrip(b"\0")
                inflater, complete = zlib.decompressobj(wbits=31), not rest
                continue
            try:
                content = inflater.decompress(rest, PIECE)
            except zlib.error as error:
                raise RegimportError(f"{name} is no valid gzip file: {error}") from error
            complete = inflater.eof
            rest = inflater.unused_data if complete else inflater.unconsumed_tail
            if content:
                yield content
    if not complete:
        raise RegimportError(f"{name} is damaged: it ends in the midst of gzip's data")
