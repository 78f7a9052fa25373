"""Uploads that were begun, one small file each, so that a later run can go on with them.

A file is named by a hash of the target and the blob, belongs to one process at a time, and says
where at its registry an upload session is: a path, never a host, so that what it holds can be
sent nowhere else. The session's URL may hold a secret of the registry; files and folder are for
their owner's eyes.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from regimport.models.digest import Digest

__all__ = ["SavedUpload", "SavedUploads", "state_folder"]

_LOG = logging.getLogger(__name__)

# Registries give sessions up after a while, by default after a week or much earlier.
_MAX_AGE_SECONDS = 24 * 3600
_MAX_BYTES = 16 * 1024
_VERSION = 1
_PLACE = re.compile(r"[!-~]{1,8192}")


def state_folder() -> Path:
    """Give where such files are kept for this user, as the system has it."""
    from platformdirs import user_state_path  # noqa: PLC0415 - large blobs alone need it

    return user_state_path("regimport", appauthor=False) / "uploads"


@dataclass(frozen=True, slots=True)
class _Record:
    place: str
    offset: int


class SavedUploads:
    """The uploads that this user has begun. Nothing here ever fails a copy."""

    def __init__(
        self, warn: Callable[[str], None], folder: Callable[[], Path] = state_folder
    ) -> None:
        self._warn = warn
        self._folder = folder
        self._swept = False

    def open(self, target: str, digest: Digest) -> SavedUpload | None:
        """Take hold of what is known of a blob's upload to `target`, `registry/repository`.

        None while another process is at it, and where no state can be kept.
        """
        try:
            folder = _private(self._folder())
            if not self._swept:
                self._swept = True
                _sweep(folder)
            key = hashlib.sha256(f"{target}@{digest}".encode()).hexdigest()
            lock = _lock(folder / f"{key}.lock")
        except OSError as error:
            _LOG.debug("no state is kept: %s", error)
            return None
        return None if lock is None else SavedUpload(folder / f"{key}.json", lock, self._warn)


class SavedUpload:
    """One upload, held by this process until it is released or forgotten.

    `place` is where its session is, a path and query below `/v2/`, None if there is none; and
    `offset` how many bytes the registry had confirmed.
    """

    def __init__(self, path: Path, lock: int, warn: Callable[[str], None]) -> None:
        self._path = path
        self._lock = lock
        record: _Record | None = None
        try:
            record = _read(path)
        except (OSError, ValueError) as error:
            warn(f"{path.name}, the state of an upload that was begun, is ignored: {error}")
        if record is None:
            self._remove()
        self.place = record.place if record else None
        self.offset = record.offset if record else 0

    def note(self, place: str, offset: int) -> None:
        """Write down where the session is, in the place of what was known."""
        document = {
            "version": _VERSION,
            "place": place,
            "offset": offset,
            "saved": int(time.time()),
        }
        fresh = self._path.with_suffix(".tmp")
        try:
            fresh.unlink(missing_ok=True)
            file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(file, "w", encoding="ascii") as stream:
                json.dump(document, stream)
            fresh.replace(self._path)
        except OSError as error:
            _LOG.debug("the state of an upload cannot be kept: %s", error)
            return
        self.place, self.offset = place, offset

    def forget(self) -> None:
        """Remove the file; this is still the process that may write it."""
        self.place, self.offset = None, 0
        self._remove()

    def release(self) -> None:
        """Let go, and leave what is noted to whoever comes next."""
        if self._lock < 0:
            return
        try:
            if not self._path.exists():
                self._path.with_suffix(".lock").unlink(missing_ok=True)
        except OSError as error:
            _LOG.debug("a lock file stays behind: %s", error)
        os.close(self._lock)
        self._lock = -1

    def _remove(self) -> None:
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            _LOG.debug("the state of an upload cannot be removed: %s", error)


def _private(folder: Path) -> Path:
    """Make the folder, if it is not there, and make it its owner's alone."""
    if not folder.is_absolute():
        raise NotADirectoryError("this user has no home")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not folder.is_dir() or folder.is_symlink() or found.st_uid != os.geteuid():
        raise NotADirectoryError(f"{folder} is no folder of this user")
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def _lock(path: Path) -> int | None:
    """Take the lock that is the file at `path`; None if another process has it."""
    for _ in range(3):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had it may have removed the file in the meantime.
            if path.stat().st_ino == os.fstat(file).st_ino:
                return file
        except BlockingIOError:
            os.close(file)
            return None
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(file)
            raise
        os.close(file)
    return None


def _read(path: Path) -> _Record | None:
    """Read a file; None if there is none, or it is too old. Raises `ValueError` for garbage."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(file, "rb") as stream:
        about = os.fstat(file)
        if about.st_uid != os.geteuid() or about.st_mode & 0o077:
            raise ValueError("others than its owner could have written or read it")
        content = stream.read(_MAX_BYTES + 1)
    try:
        document = json.loads(content[:_MAX_BYTES])
        version, saved = document["version"], document["saved"]
        place, offset = document["place"], document["offset"]
        good = version == _VERSION and type(offset) is type(saved) is int and offset >= 0
        good = good and _PLACE.fullmatch(place) is not None
    except (ValueError, TypeError, KeyError, RecursionError):
        good = False
    if not good:
        raise ValueError("it is damaged")
    return _Record(place, offset) if 0 <= time.time() - saved <= _MAX_AGE_SECONDS else None


def _sweep(folder: Path) -> None:
    """Remove what nobody has come back to."""
    oldest = time.time() - _MAX_AGE_SECONDS
    for path in folder.glob("*.json"):
        if path.lstat().st_mtime >= oldest:
            continue
        lock = _lock(path.with_suffix(".lock"))
        if lock is not None:
            path.unlink(missing_ok=True)
            path.with_suffix(".lock").unlink(missing_ok=True)
            os.close(lock)
