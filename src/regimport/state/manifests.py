"""Manifests that were read before, one file each, so that a later run need not read them again.

What has a digest never changes, and registries count each manifest that is read as a pull. A file
is named by the digest of its content, which is checked whenever it is read. Only its owner may
read it: the image may be private. Files are put in place by a rename, so that processes need no
lock; one that finds the cache too large removes what was not used for the longest time.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from regimport.models.digest import Digest
from regimport.models.manifest import MAX_MANIFEST_BYTES
from regimport.redact import reason_of
from regimport.state.folders import private_folder
from regimport.values import dataclass

__all__ = ["MAX_CACHE_BYTES", "ManifestFiles", "cache_folder"]

_LOG = logging.getLogger(__name__)

# The most bytes that the files take together.
MAX_CACHE_BYTES = 64 * 1024 * 1024
# A file takes this many bytes of a disk at least; it bounds how many files there are, too.
_BLOCK = 4096
# How much is left when room is made, so that it is seldom needed.
_KEPT = 0.75
# How old the time of a file's last use may be, in seconds, before it is written anew; and after
# which time a file that was never put in place is a leftover.
_HOUR = 3600
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_UNFINISHED = ".tmp"


def cache_folder() -> Path:
    """Return the folder of these files for this user, by the conventions of the system."""
    from platformdirs import user_cache_path  # noqa: PLC0415 - where manifests are read by digest

    return user_cache_path("regimport", appauthor=False) / "manifests"


class ManifestFiles:
    """The cache of manifests; shared by threads. No problem with its files is an error.

    `most` is how many bytes its files take at most, more for moments only.
    """

    def __init__(
        self, folder: Callable[[], Path] = cache_folder, most: int = MAX_CACHE_BYTES
    ) -> None:
        self._find = folder
        self._most = most
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._opened = False
        # The bytes of the files, None until they were counted.
        self._size: int | None = None

    def get(self, digest: Digest) -> bytes | None:
        """Return the content with this digest; None if it is not there."""
        folder = self._open()
        if folder is None:
            return None
        path = folder / _name(digest)
        try:
            content = _read(path)
            if content is None:
                return None
            if Digest.of(content, digest.algorithm) != digest:
                _LOG.debug("%s does not hash to its name, and is removed", path)
                path.unlink(missing_ok=True)
                return None
        except OSError as error:
            _LOG.debug("the cache of manifests cannot be read: %s", reason_of(error))
            return None
        return content

    def put(self, digest: Digest, content: bytes) -> None:
        """Keep content, unless that is not possible."""
        folder = self._open()
        if folder is None or len(content) > MAX_MANIFEST_BYTES:
            return
        try:
            _write(folder / _name(digest), content)
            self._count(folder, len(content))
        except OSError as error:
            _LOG.debug("a manifest cannot be cached: %s", reason_of(error))

    def _open(self) -> Path | None:
        """Return the folder, made and looked at once; None if it cannot be used."""
        with self._lock:
            if not self._opened:
                self._opened = True
                try:
                    self._folder = private_folder(self._find())
                except OSError as error:
                    _LOG.debug("manifests are not cached: %s", reason_of(error))
            return self._folder

    def _count(self, folder: Path, size: int) -> None:
        """Count a file that was written, and make room if they are too many."""
        with self._lock:
            if self._size is None:
                self._size = sum(file.size for file in _files(folder))
            else:
                self._size += max(size, _BLOCK)
            if self._size > self._most:
                self._size = _make_room(folder, int(self._most * _KEPT))


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    size: int
    used: float


def _name(digest: Digest) -> str:
    return f"{digest.algorithm}-{digest.encoded}"


def _read(path: Path) -> bytes | None:
    try:
        file = os.open(path, _READ)
    except FileNotFoundError:
        return None
    with os.fdopen(file, "rb") as stream:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode):
            return None
        if time.time() - about.st_mtime > _HOUR:
            # A file of another user, in a folder that was given away, cannot be touched.
            with suppress(OSError):
                os.utime(file)
        return stream.read(MAX_MANIFEST_BYTES + 1)


def _write(path: Path, content: bytes) -> None:
    """Put a file in place, whole."""
    fresh = path.with_name(f".{secrets.token_hex(8)}{_UNFINISHED}")
    try:
        with os.fdopen(os.open(fresh, _WRITE, 0o600), "wb") as stream:
            stream.write(content)
        fresh.replace(path)
    except BaseException:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def _files(folder: Path) -> Iterator[_File]:
    """Yield the files that are there; other processes may be adding and removing some."""
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                about = entry.stat(follow_symlinks=False)
                yield _File(Path(entry.path), max(about.st_size, _BLOCK), about.st_mtime)


def _make_room(folder: Path, most: int) -> int:
    """Remove leftovers, and the files used longest ago, until at most so many bytes are left.

    Return how many that are.
    """
    size = 0
    now = time.time()
    for file in sorted(_files(folder), key=lambda file: file.used, reverse=True):
        leftover = file.path.suffix == _UNFINISHED and now - file.used > _HOUR
        if leftover or size + file.size > most:
            file.path.unlink(missing_ok=True)
        else:
            size += file.size
    return size
