"""Safe access to the files in a folder that somebody else may have made.

Every path is opened part by part, by descriptors, and no link below the folder is followed. Only
regular files are read, which cannot block. Files are put in place by rename, so that nothing is
ever written into a file that existed before.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from regimport.errors import RegimportError
from regimport.redact import reason_of

__all__ = ["CHUNK", "Folder", "Incoming", "explained", "sweep"]

_INCOMING = re.compile(r"\.incoming-[0-9a-f]{16}")
# How many bytes are read and written at once.
CHUNK = 1024 * 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: opening a named pipe in place of a file must not block forever.
_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_APPEND


@contextmanager
def explained(root: Path) -> Iterator[None]:
    """Turn an `OSError` into a `RegimportError` about `root`."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EMFILE:
            raise RegimportError(
                f"the image layout {root} cannot be used: too many files are open",
                hint="raise the limit with `ulimit -n`, or use fewer `jobs`",
            ).located(None, f"oci:{root}") from error
        name = f": {error.filename}" if isinstance(error.filename, str) else ""
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise RegimportError(
            f"the image layout {root} cannot be used{name}: {reason_of(error)}",
            hint="make room, and run the same command again; what is finished stays"
            if full
            else "check the path and its permissions; links in a layout are not followed",
        ).located(None, f"oci:{root}") from error


class Folder:
    """The files in a folder, named by the parts of their paths; errors are `RegimportError`s.

    `durable` waits until each file is on the disk, so that it survives a power failure.
    """

    def __init__(self, root: str | Path, *, durable: bool = True) -> None:
        self.root = Path(root)
        self.durable = durable

    def open(self, *parts: str) -> int | None:
        """Open a regular file for reading; None if it does not exist. The caller closes it."""
        return self._open(os.O_RDONLY, parts)

    def open_to_append(self, *parts: str) -> int | None:
        """Open a regular file for appending and cutting; None if it does not exist.

        A file with a second name is refused: the other name may be outside the folder.
        """
        descriptor = self._open(os.O_WRONLY | os.O_APPEND, parts)
        if descriptor is None or os.fstat(descriptor).st_nlink == 1:
            return descriptor
        os.close(descriptor)
        with explained(self.root):
            raise OSError(None, "the file has a second name (a hard link)", "/".join(parts))

    def status(self, *parts: str) -> os.stat_result | None:
        """Return a file's size and times; None if there is no regular file of that name."""
        found = self._stat(parts)
        return found if found is not None and stat.S_ISREG(found.st_mode) else None

    def size(self, *parts: str) -> int | None:
        """Return a file's size in bytes; None if it does not exist."""
        found = self.status(*parts)
        return None if found is None else found.st_size

    def has_folder(self, *parts: str) -> bool:
        """Return whether there is a folder of that name; a link to one does not count."""
        found = self._stat(parts)
        return found is not None and stat.S_ISDIR(found.st_mode)

    def read(self, *parts: str, limit: int) -> bytes | None:
        """Read a whole file, but at most `limit` + 1 bytes; None if it does not exist."""
        descriptor = self.open(*parts)
        if descriptor is None:
            return None
        with os.fdopen(descriptor, "rb") as file, explained(self.root):
            return file.read(limit + 1)

    @contextmanager
    def stream(self, *parts: str, start: int = 0) -> Iterator[tuple[int, Iterator[bytes]] | None]:
        """Open a file: its size, and its bytes from `start` on; None if it does not exist."""
        descriptor = self.open(*parts)
        if descriptor is None:
            yield None
            return
        try:
            size = os.fstat(descriptor).st_size
            os.lseek(descriptor, start, os.SEEK_SET)
            yield size, self._chunks(descriptor)
        finally:
            os.close(descriptor)

    def folders_in(self, *parts: str) -> list[str]:
        """Return the names of the folders in a folder, without links; none if it is missing."""
        return self._listed(parts, folders=True)

    def files_in(self, *parts: str) -> list[str]:
        """Return the names of the regular files in a folder; none if it is missing."""
        return self._listed(parts, folders=False)

    def write(self, content: bytes, *parts: str) -> None:
        """Write a whole file; readers see either the old or the new content."""
        with Incoming(self) as incoming:
            incoming.write(content)
            incoming.place(*parts)

    def mark(self, *parts: str) -> None:
        """Make an empty file, unless there is a file of that name already."""
        try:
            descriptor = self.make(*parts)
        except RegimportError:
            if self.status(*parts) is None:
                raise
        else:
            os.close(descriptor)

    def move(self, source: tuple[str, ...], target: tuple[str, ...]) -> None:
        """Move a file within the folder, replacing a file at the new path."""
        with (
            explained(self.root),
            self._folder(source[:-1]) as origin,
            self._folder(target[:-1], create=True) as folder,
        ):
            os.rename(source[-1], target[-1], src_dir_fd=origin, dst_dir_fd=folder)
            if self.durable:
                os.fsync(folder)

    def remove(self, *parts: str) -> bool:
        """Remove a file; return whether it existed."""
        with explained(self.root):
            try:
                with self._folder(parts[:-1]) as folder:
                    os.unlink(parts[-1], dir_fd=folder)
            except FileNotFoundError:
                return False
        return True

    def make(self, *parts: str) -> int:
        """Create a new file and open it for appending; the caller closes it."""
        with explained(self.root), self._folder(parts[:-1], create=True) as folder:
            return os.open(parts[-1], _NEW, 0o666, dir_fd=folder)

    def _open(self, flags: int, parts: tuple[str, ...]) -> int | None:
        with explained(self.root):
            try:
                with self._folder(parts[:-1]) as folder:
                    descriptor = os.open(parts[-1], flags | _SAFE, dir_fd=folder)
            except FileNotFoundError:
                return None
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return descriptor
            os.close(descriptor)
            raise OSError(None, "not a regular file", "/".join(parts))

    def _chunks(self, descriptor: int) -> Iterator[bytes]:
        while True:
            with explained(self.root):
                chunk = os.read(descriptor, CHUNK)
            if not chunk:
                return
            yield chunk

    def _stat(self, parts: tuple[str, ...]) -> os.stat_result | None:
        with explained(self.root):
            try:
                with self._folder(parts[:-1]) as folder:
                    return os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                return None

    def _listed(self, parts: tuple[str, ...], *, folders: bool) -> list[str]:
        with explained(self.root):
            try:
                with self._folder(parts) as folder, os.scandir(folder) as entries:
                    return [
                        entry.name
                        for entry in entries
                        if (entry.is_dir if folders else entry.is_file)(follow_symlinks=False)
                    ]
            except FileNotFoundError:
                return []

    @contextmanager
    def _folder(self, parts: tuple[str, ...], *, create: bool = False) -> Iterator[int]:
        """Open a folder below the root, in which no part may be a link; the root may be one."""
        folder = os.open(self.root, _FOLDER)
        try:
            for part in parts:
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=folder)
                inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
                os.close(folder)
                folder = inner
            yield folder
        finally:
            os.close(folder)


def sweep(folder: Folder) -> None:
    """Remove what killed processes have left: temporary files that no process has locked.

    A process that is writing one keeps it locked until it is in its place.
    """
    for name in folder.files_in():
        if _INCOMING.fullmatch(name):
            # Another process may be removing the same file, or putting it in its place.
            with suppress(OSError, RegimportError):
                descriptor = folder.open(name)
                if descriptor is not None:
                    try:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        folder.remove(name)
                    finally:
                        os.close(descriptor)


class Incoming:
    """A file that is being written; unless it is placed, it is removed when the block ends."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        while True:
            # Not in blobs/: a file that a killed process leaves must not look like content.
            self._name = f".incoming-{secrets.token_hex(8)}"
            self._descriptor = folder.make(self._name)
            # It is locked for as long as it is written: `sweep` removes those that are not.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            if folder.status(self._name) is not None:
                return
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)
        # A second error, about the clean-up, would hide the first.
        with suppress(RegimportError):
            self._folder.remove(self._name)

    def write(self, data: bytes | memoryview) -> None:
        """Append to the file."""
        rest = memoryview(data)
        with explained(self._folder.root):
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def place(self, *parts: str) -> None:
        """Move the complete file to its final path."""
        if self._folder.durable:
            with explained(self._folder.root):
                os.fsync(self._descriptor)
        self._folder.move((self._name,), parts)
