"""A tar that is being written, by several threads at once.

The size of a blob is known before its first byte. So each has its region in the temporary file from
the start, and is written there while others are written to theirs.
"""

from __future__ import annotations

import os
import tarfile
import threading
from collections.abc import Iterator

from regimport.archive.headers import BLOCK
from regimport.archive.members import Member
from regimport.archive.opened import PIECE, SharedFile, explained, write_at
from regimport.archive.output import Output

__all__ = ["Draft"]


class Draft:
    """The temporary file of an archive; it is made with the first content."""

    def __init__(self, output: Output, name: str) -> None:
        self.name = name
        self._output = output
        self._lock = threading.Lock()
        self._file: SharedFile | None = None
        self._end = 0
        self._regions: dict[str, Member] = {}
        self._headers: dict[str, int] = {}
        self._whole: set[str] = set()

    def find(self, path: str) -> Member | None:
        """Return where the content of a path is; None unless all of it was written."""
        return self._regions.get(path) if path in self._whole else None

    def read(self, member: Member, limit: int) -> bytes:
        """Return at most `limit` + 1 bytes of a file."""
        size = min(member.size, limit + 1)
        return b"".join(self.pieces(Member(member.offset, size)))

    def pieces(self, member: Member, start: int = 0) -> Iterator[bytes]:
        """Yield the bytes of a file from `start` on."""
        assert self._file is not None
        offset, end = member.offset + start, member.offset + member.size
        while offset < end:
            with self._file.borrow() as descriptor, explained(self.name):
                piece = os.pread(descriptor, min(PIECE, end - offset), offset)
            offset += len(piece)
            yield piece

    def write(self, path: str, size: int, content: Iterator[bytes]) -> None:
        """Write a file of exactly `size` bytes; what `content` raises goes through.

        A file that was not written to its end is not in the archive until it is written again.
        """
        file, region = self._reserve(path, size)
        offset = region.offset
        with file.borrow() as descriptor:
            for piece in content:
                with explained(self.name):
                    write_at(descriptor, offset, piece)
                offset += len(piece)
        assert offset == region.offset + size
        self._whole.add(path)

    def place(self) -> None:
        """End the tar, and make it the archive."""
        assert self._file is not None
        for path in self._regions.keys() - self._whole:
            # The blob of a copy that failed. A name of the same length has a header of the same.
            offset = self._headers[path]
            self._write_header(
                f"trash{path.removeprefix('blobs')}", self._regions[path].size, offset
            )
        with self._file.borrow() as descriptor:
            with explained(self.name):
                # Two empty blocks; GNU tar fills them up to a record of 20.
                end = -(-(self._end + 2 * BLOCK) // (20 * BLOCK)) * 20 * BLOCK
                os.ftruncate(descriptor, end)
            self._output.place(descriptor)

    def close(self) -> None:
        """Close the temporary file, and remove it if it was not placed."""
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._output.discard()

    def _reserve(self, path: str, size: int) -> tuple[SharedFile, Member]:
        """Return the region for a file, with its header before it."""
        with self._lock:
            if self._file is None:
                self._file = SharedFile(self._output.create())
                for folder in ("blobs/", "blobs/sha256/"):
                    self._end += self._write_header(folder, 0, self._end, tarfile.DIRTYPE)
            region = self._regions.get(path)
            if region is None or region.size != size:
                assert path not in self._whole
                self._headers[path] = self._end
                self._end += self._write_header(path, size, self._end)
                region = self._regions[path] = Member(self._end, size)
                self._end += -(-size // BLOCK) * BLOCK
            return self._file, region

    def _write_header(
        self, path: str, size: int, offset: int, kind: bytes = tarfile.REGTYPE
    ) -> int:
        """Write a header, without times and owners, and return how long it is."""
        assert self._file is not None
        info = tarfile.TarInfo(path)
        info.size, info.type = size, kind
        info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
        header = info.tobuf(tarfile.PAX_FORMAT)
        with self._file.borrow() as descriptor, explained(self.name):
            write_at(descriptor, offset, header)
        return len(header)
