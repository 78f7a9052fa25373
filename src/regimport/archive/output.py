"""Where a new archive goes: into the place of a file, by rename, or to standard output."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Protocol

from regimport.archive.opened import PIECE, explained, temporary
from regimport.errors import Interrupted, UsageError

__all__ = ["FileOutput", "Output", "StandardOutput"]


class Output(Protocol):
    """Where an archive is written to."""

    def check(self) -> None:
        """Raise `UsageError` if no archive can be written there."""

    def create(self) -> int:
        """Create a temporary file for the archive; the caller closes it."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep other writers of the same archive out, in this process and in others."""

    def place(self, descriptor: int) -> None:
        """Make the temporary file, which is whole now, the archive."""

    def discard(self) -> None:
        """Remove the temporary file, unless it was placed."""


class FileOutput:
    """A file on disk. Its temporary file is beside it, and takes its name when it is whole."""

    def __init__(self, path: str, name: str) -> None:
        # A link to an archive stays a link.
        self._path = Path(os.path.realpath(path))
        self._name = name
        self._prefix = f".{self._path.name[:200]}."
        self._temporary: Path | None = None

    def check(self) -> None:
        """Raise `UsageError` for what is there and is no file."""
        with explained(self._name), suppress(FileNotFoundError):
            mode = self._path.stat().st_mode
            if not stat.S_ISREG(mode):
                kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
                raise UsageError(
                    f"{self._name} is {kind}, and no archive can be written there",
                    hint="name a file, or write - for standard output; oci:DIRECTORY is a layout",
                ).located(None, self._name)

    def create(self) -> int:
        """Create a hidden file in the same folder; remove those that killed writers have left."""
        self._sweep()
        while True:
            path = self._path.with_name(f"{self._prefix}{secrets.token_hex(8)}")
            with explained(self._name):
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                descriptor = os.open(path, flags, 0o666)
            try:
                # It is locked for as long as it is written: those that are not are left over.
                with explained(self._name):
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                if _is_at(descriptor, path):
                    self._temporary = path
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _sweep(self) -> None:
        """Remove the temporary files of this archive that no process has locked."""
        pattern = re.compile(re.escape(self._prefix) + "[0-9a-f]{16}")
        with suppress(OSError):
            for path in self._path.parent.iterdir():
                if pattern.fullmatch(path.name):
                    _remove_unless_locked(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock a hidden file beside the archive, which is there only meanwhile."""
        path = self._path.with_name(f".{self._path.name[:200]}.lock")
        while True:
            with explained(self._name):
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                with explained(self._name):
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                # Whoever had it before has removed it: this is not the file that others lock.
                if not _is_at(descriptor, path):
                    continue
                try:
                    yield
                finally:
                    with suppress(OSError):
                        path.unlink()
                return
            finally:
                os.close(descriptor)

    def place(self, descriptor: int) -> None:
        """Rename the temporary file, once it is on the disk; it keeps the old file's mode."""
        assert self._temporary is not None
        with explained(self._name):
            with suppress(FileNotFoundError):
                os.fchmod(descriptor, stat.S_IMODE(self._path.stat().st_mode))
            os.fsync(descriptor)
            self._temporary.replace(self._path)
            self._temporary = None
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def discard(self) -> None:
        """Remove the temporary file, unless it was placed."""
        if self._temporary is not None:
            with suppress(OSError):
                self._temporary.unlink()


class StandardOutput:
    """Standard output, which gets the archive in one piece when it is whole."""

    def __init__(self, name: str, stopped: Callable[[], bool]) -> None:
        self._name = name
        self._stopped = stopped

    def check(self) -> None:
        """Raise `UsageError` for a terminal."""
        if sys.stdout is not None and sys.stdout.isatty():
            raise UsageError(
                f"{self._name} is a terminal, to which no archive is written",
                hint="add `> FILE`, or write the path of the file",
            ).located(None, self._name)

    def create(self) -> int:
        """Create a file in TMPDIR that has no name."""
        with explained(f"{self._name}, collected in TMPDIR,"):
            return temporary()

    def locked(self) -> AbstractContextManager[None]:
        """Do nothing: nobody else has this run's standard output."""
        return nullcontext()

    def place(self, descriptor: int) -> None:
        """Write the archive."""
        offset = 0
        with explained(self._name):
            while piece := os.pread(descriptor, PIECE, offset):
                offset += len(piece)
                rest = memoryview(piece)
                while rest:
                    if self._stopped():
                        raise Interrupted
                    rest = rest[os.write(1, rest) :]

    def discard(self) -> None:
        """Do nothing: the file is gone when it is closed."""


def _remove_unless_locked(path: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
        finally:
            os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether a path still leads to the file that is open."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False
