"""The files of an image layout in a folder."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from regimport.errors import NotFound, UsageError
from regimport.layout.folder import Folder, explained
from regimport.models.digest import Digest

__all__ = ["LAYOUT_CONTENT", "LAYOUT_FILE", "Files", "blob_parts"]

LAYOUT_FILE = "oci-layout"
LAYOUT_CONTENT = b'{"imageLayoutVersion":"1.0.0"}'
_EMPTY_INDEX = b'{"schemaVersion":2,"manifests":[]}'
# The names allowed in a folder that becomes a layout: another process may be creating it too.
_OWN_NAMES = frozenset({LAYOUT_FILE, "index.json", "blobs"})


def blob_parts(digest: Digest) -> tuple[str, str, str]:
    """Return the path of a blob in a layout, as its parts; a `Digest` is safe in a path."""
    return "blobs", digest.algorithm, digest.encoded


class Files(Folder):
    """The files in the folder of a layout, named by the parts of their paths."""

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
        if not self.root.is_dir() or self.size(LAYOUT_FILE) is None:
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
        if LAYOUT_FILE in names:
            return
        if names - _OWN_NAMES:
            raise UsageError(
                f"{self.root} is not an OCI image layout, and contains other files",
                hint="name a new or empty folder",
            ).located(None, self.name)
        with explained(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
        self.write(LAYOUT_CONTENT, LAYOUT_FILE)
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

    def hashes_to(self, digest: Digest) -> bool:
        """Whether there is a blob whose bytes hash to its name."""
        with self.stream(*blob_parts(digest)) as found:
            if found is None:
                return False
            hasher = digest.hasher()
            for piece in found[1]:
                hasher.update(piece)
        return hasher.hexdigest() == digest.encoded

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock index.json against other writers, in this process and in others.

        The lock is on the file oci-layout, which every layout has and which is never replaced.
        """
        path = self.root / LAYOUT_FILE
        while True:
            with explained(self.root):
                descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                with explained(self.root):
                    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                        raise OSError(None, "not a regular file", LAYOUT_FILE)
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                    # If two processes create the layout at once, the file may have been replaced.
                    current = os.path.samestat(os.fstat(descriptor), os.lstat(path))
                if current:
                    yield
                    return
            finally:
                os.close(descriptor)
