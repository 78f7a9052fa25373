"""The files of an image layout; links are not followed, and files are put in place by rename."""

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

from regimport.errors import NotFound, RegimportError, UsageError
from regimport.models.digest import Digest
from regimport.redact import reason_of

__all__ = ["CHUNK", "Files", "Incoming", "blob_parts", "explained", "sweep"]

CHUNK = 1024 * 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: opening a named pipe in place of a blob must not block forever.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LAYOUT_FILE = "oci-layout"
_LAYOUT_CONTENT = b'{"imageLayoutVersion":"1.0.0"}'
_EMPTY_INDEX = b'{"schemaVersion":2,"manifests":[]}'
# The names allowed in a folder that becomes a layout: another process may be creating it too.
_INCOMING = re.compile(r"\.incoming-[0-9a-f]{16}")
_OWN_NAMES = frozenset({_LAYOUT_FILE, "index.json", "blobs"})


def blob_parts(digest: Digest) -> tuple[str, str, str]:
    """Return the path of a blob in a layout, as its parts; a `Digest` is safe in a path."""
    return "blobs", digest.algorithm, digest.encoded


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
        raise RegimportError(
            f"the image layout {root} cannot be used{name}: {reason_of(error)}",
            hint="check the disk's free space and the permissions; links in a layout are not "
            "followed",
        ).located(None, f"oci:{root}") from error


class Files:
    """The files in the folder of a layout, named by the parts of their paths.

    `durable` waits until each file is on the disk, so that it survives a power failure.
    """

    def __init__(self, root: str | Path, *, durable: bool = True) -> None:
        self.root = Path(root)
        self.durable = durable

    @property
    def name(self) -> str:
        """`oci:path`."""
        return f"oci:{self.root}"

    def check(self) -> None:
        """Raise `NotFound` if there is no folder, `UsageError` if it is not a layout."""
        if not self.root.exists():
            raise NotFound(
                f"there is no image layout at {self.root}",
                hint="a layout is a folder with a file oci-layout; check the path before the ':'",
            ).located(None, self.name)
        if not self.root.is_dir() or self.size(_LAYOUT_FILE) is None:
            raise UsageError(
                f"{self.root} is not an OCI image layout: it has no file oci-layout",
                hint="name the folder that contains oci-layout, index.json and blobs"
                if self.root.is_dir()
                else f"for an archive, write oci-archive:{self.root}",
            ).located(None, self.name)

    def create(self) -> None:
        """Make the folder a layout, unless it is one already.

        Raise `UsageError` if it contains other files. The file oci-layout is written first: a
        folder with it may be filled.
        """
        names = self.names()
        if _LAYOUT_FILE in names:
            return
        if names - _OWN_NAMES:
            raise UsageError(
                f"{self.root} is not an OCI image layout, and contains other files",
                hint="name a new or empty folder",
            ).located(None, self.name)
        with explained(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
        self.write(_LAYOUT_CONTENT, _LAYOUT_FILE)
        with self.locked():
            if self.size("index.json") is None:
                self.write(_EMPTY_INDEX, "index.json")

    def names(self) -> set[str]:
        """Return the names in the folder, without hidden files; none if it does not exist."""
        with explained(self.root):
            try:
                return {path.name for path in self.root.iterdir() if not path.name.startswith(".")}
            except FileNotFoundError:
                return set()

    def open(self, *parts: str) -> int | None:
        """Open a regular file for reading; None if it does not exist. The caller closes it."""
        with explained(self.root):
            try:
                with self._folder(parts[:-1]) as folder:
                    descriptor = os.open(parts[-1], _READ, dir_fd=folder)
            except FileNotFoundError:
                return None
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return descriptor
            os.close(descriptor)
            raise OSError(None, "not a regular file", "/".join(parts))

    def status(self, *parts: str) -> os.stat_result | None:
        """Return a file's size and times; None if there is no regular file of that name."""
        with explained(self.root):
            try:
                with self._folder(parts[:-1]) as folder:
                    found = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                return None
        return found if stat.S_ISREG(found.st_mode) else None

    def size(self, *parts: str) -> int | None:
        """Return a file's size in bytes; None if it does not exist."""
        found = self.status(*parts)
        return None if found is None else found.st_size

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

    def hashes_to(self, digest: Digest) -> bool:
        """Whether there is a blob whose bytes hash to its name."""
        with self.stream(*blob_parts(digest)) as found:
            if found is None:
                return False
            hasher = digest.hasher()
            for piece in found[1]:
                hasher.update(piece)
        return hasher.hexdigest() == digest.encoded

    def write(self, content: bytes, *parts: str) -> None:
        """Write a whole file; readers see either the old or the new content."""
        with Incoming(self) as incoming:
            incoming.write(content)
            incoming.place(*parts)

    def move(self, source: tuple[str, ...], target: tuple[str, ...]) -> None:
        """Move a file within the layout, replacing a file at the new path."""
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
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_APPEND
        with explained(self.root), self._folder(parts[:-1], create=True) as folder:
            return os.open(parts[-1], flags, 0o666, dir_fd=folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock index.json against other writers, in this process and in others.

        The lock is on the file oci-layout, which every layout has and which is never replaced.
        """
        path = self.root / _LAYOUT_FILE
        while True:
            with explained(self.root):
                descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                with explained(self.root):
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                    # If two processes create the layout at once, the file may have been replaced.
                    current = os.path.samestat(os.fstat(descriptor), os.lstat(path))
                if current:
                    yield
                    return
            finally:
                os.close(descriptor)

    def _chunks(self, descriptor: int) -> Iterator[bytes]:
        while True:
            with explained(self.root):
                chunk = os.read(descriptor, CHUNK)
            if not chunk:
                return
            yield chunk

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


def sweep(files: Files) -> None:
    """Remove what killed processes have left: temporary files that no process has locked.

    A process that is writing one keeps it locked until it is in its place.
    """
    with explained(files.root):
        names = [path.name for path in files.root.iterdir() if _INCOMING.fullmatch(path.name)]
    for name in names:
        # Another process may be removing the same file, or putting it in its place.
        with suppress(OSError, RegimportError):
            descriptor = files.open(name)
            if descriptor is not None:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    files.remove(name)
                finally:
                    os.close(descriptor)


class Incoming:
    """A file that is being written; unless it is placed, it is removed when the block ends."""

    def __init__(self, files: Files) -> None:
        self._files = files
        while True:
            # Not in blobs/: a file that a killed process leaves must not look like content.
            self._name = f".incoming-{secrets.token_hex(8)}"
            self._descriptor = files.make(self._name)
            # It is locked for as long as it is written: `sweep` removes those that are not.
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            if files.status(self._name) is not None:
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
            self._files.remove(self._name)

    def write(self, data: bytes | memoryview) -> None:
        """Append to the file."""
        rest = memoryview(data)
        with explained(self._files.root):
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def place(self, *parts: str) -> None:
        """Move the complete file to its final path."""
        if self._files.durable:
            with explained(self._files.root):
                os.fsync(self._descriptor)
        self._files.move((self._name,), parts)
