"""The files of a layout in an archive."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from regimport.archive.members import Member, Members, scan
from regimport.archive.opened import PIECE, PlainFile, Spool, open_archive
from regimport.errors import Interrupted, RegimportError, UsageError

__all__ = ["Stacked", "Store", "Tar", "TarContents"]


class Store(Protocol):
    """A tar whose files can be read: a whole one, or one that is being written."""

    @property
    def name(self) -> str:
        """The archive, as messages name it: `oci-archive:path`."""

    def find(self, path: str) -> Member | None:
        """Return the file of a path; None if there is none."""

    def read(self, member: Member, limit: int) -> bytes:
        """Return at most `limit` + 1 bytes of a file."""

    def pieces(self, member: Member, start: int = 0) -> Iterator[bytes]:
        """Yield the bytes of a file from `start` on."""


class Tar:
    """An archive that is opened, and copied or decompressed if need be, when it is first asked.

    It belongs to a run, whose threads share it; `stopped` says that they are to end.
    """

    def __init__(self, name: str, path: str, stopped: Callable[[], bool] = lambda: False) -> None:
        self.name = name
        self._path = path
        self._stopped = stopped
        self._lock = threading.Lock()
        self._opened: PlainFile | Spool | None = None
        self._members: Members | None = None
        self._error: RegimportError | None = None

    @property
    def is_copy(self) -> bool:
        """Whether it is read from a copy in TMPDIR, since it is no seekable tar itself."""
        _, opened = self._scanned()
        return isinstance(opened, Spool)

    def find(self, path: str) -> Member | None:
        """Return the file of a path; None if there is none."""
        members, _ = self._scanned()
        try:
            return members.find(path)
        except RegimportError as error:
            raise error.located(None, self.name) from None

    def read(self, member: Member, limit: int) -> bytes:
        """Return at most `limit` + 1 bytes of a file."""
        _, opened = self._scanned()
        return opened.read(member.offset, min(member.size, limit + 1))

    def pieces(self, member: Member, start: int = 0) -> Iterator[bytes]:
        """Yield the bytes of a file from `start` on."""
        _, opened = self._scanned()
        offset, end = member.offset + start, member.offset + member.size
        while offset < end and (piece := opened.read(offset, min(PIECE, end - offset))):
            offset += len(piece)
            yield piece

    def close(self) -> None:
        """Close the file, if it was opened; what is being read from it ends in order."""
        with self._lock:
            self._error = Interrupted()
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _scanned(self) -> tuple[Members, PlainFile | Spool]:
        """Return the files of the archive, whose headers are read when they are first needed."""
        with self._lock:
            if self._error is not None:
                raise self._error
            if self._opened is not None:
                assert self._members is not None
                return self._members, self._opened
            try:
                self._members, self._opened = self._scan()
            except RegimportError as error:
                # A stream cannot be read a second time.
                self._error = error.located(None, self.name)
                raise
            return self._members, self._opened

    def _scan(self) -> tuple[Members, PlainFile | Spool]:
        opened = open_archive(self._path, self.name, self._stopped)
        try:
            members, end = scan(opened)
            opened.finish(end)
        except BaseException:
            opened.close()
            raise
        return members, opened


class TarContents:
    """The files of an OCI image layout in an archive."""

    def __init__(self, tar: Store) -> None:
        self._tar = tar

    @property
    def name(self) -> str:
        """`oci-archive:path`."""
        return self._tar.name

    def check(self) -> None:
        """Raise `NotFound` if there is no archive, `UsageError` if it is not of this kind."""
        if self._tar.find("index.json") is None:
            docker = f"docker-archive:{self.name.partition(':')[2]}"
            saved = self._tar.find("manifest.json") is not None
            raise UsageError(
                f"{self.name} is not an OCI archive: it has no file index.json",
                hint=f"for a tar of `docker save`, write {docker}" if saved else None,
            ).located(None, self.name)

    def size(self, *parts: str) -> int | None:
        """Return a file's size in bytes; None if it does not exist."""
        member = self._find(parts)
        return None if member is None else member.size

    def read(self, *parts: str, limit: int) -> bytes | None:
        """Read a whole file, but at most `limit` + 1 bytes; None if it does not exist."""
        member = self._find(parts)
        return None if member is None else self._tar.read(member, limit)

    @contextmanager
    def stream(self, *parts: str, start: int = 0) -> Iterator[tuple[int, Iterator[bytes]] | None]:
        """Open a file: its size, and its bytes from `start` on; None if it does not exist."""
        member = self._find(parts)
        yield None if member is None else (member.size, self._tar.pieces(member, start))

    def _find(self, parts: tuple[str, ...]) -> Member | None:
        return self._tar.find("/".join(parts))


class Stacked:
    """Several archives as one: of each file, the first that has it is read.

    The first has the name of all. None stands for an archive that is not there.
    """

    def __init__(self, first: TarContents, *others: TarContents | None) -> None:
        self.name = first.name
        self._others = [other for other in others if other is not None]
        self._all = [first, *self._others]

    def check(self) -> None:
        """Check all but the first: that one is still being written."""
        for contents in self._others:
            contents.check()

    def size(self, *parts: str) -> int | None:
        """Return a file's size in bytes; None if it does not exist."""
        return self._having(parts).size(*parts)

    def read(self, *parts: str, limit: int) -> bytes | None:
        """Read a whole file, but at most `limit` + 1 bytes; None if it does not exist."""
        return self._having(parts).read(*parts, limit=limit)

    def stream(
        self, *parts: str, start: int = 0
    ) -> AbstractContextManager[tuple[int, Iterator[bytes]] | None]:
        """Open a file: its size, and its bytes from `start` on; None if it does not exist."""
        return self._having(parts).stream(*parts, start=start)

    def _having(self, parts: tuple[str, ...]) -> TarContents:
        for contents in self._all:
            if contents.size(*parts) is not None:
                return contents
        return self._all[0]
