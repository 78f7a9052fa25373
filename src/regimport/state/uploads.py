"""Unfinished uploads, one small file each, so that a later run can continue them.

A file is named by a hash of the target and the blob, and is locked by one process at a time. It
contains the path of the upload session at its registry: never a host, so that nothing in it can be
sent elsewhere. The path may contain a secret of the registry, so only its owner may read the file.
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
from pathlib import Path

from regimport.models.digest import Digest
from regimport.redact import reason_of
from regimport.state.folders import private_folder
from regimport.values import dataclass

__all__ = ["UploadFile", "UploadFiles", "state_folder"]

_LOG = logging.getLogger(__name__)

# Registries delete old sessions, some after a week and others much earlier.
_MAX_AGE_SECONDS = 24 * 3600
_MAX_BYTES = 16 * 1024
_VERSION = 1
_PLACE = re.compile(r"[!-~]{1,8192}")


def state_folder() -> Path:
    """Return the folder of these files for this user, by the conventions of the system."""
    from platformdirs import user_state_path  # noqa: PLC0415 - large blobs alone need it

    return user_state_path("regimport", appauthor=False) / "uploads"


@dataclass(frozen=True, slots=True)
class _Record:
    place: str
    offset: int


class UploadFiles:
    """The unfinished uploads of this user; no problem with their files makes a copy fail."""

    def __init__(
        self, warn: Callable[[str], None], folder: Callable[[], Path] = state_folder
    ) -> None:
        self._warn = warn
        self._folder = folder
        self._swept = False

    def open(self, target: str, digest: Digest) -> UploadFile | None:
        """Lock and read the state of a blob's upload to `target`, `registry/repository`.

        None if another process has locked it, or if the file cannot be used.
        """
        try:
            folder = private_folder(self._folder())
            if not self._swept:
                self._swept = True
                _sweep(folder)
            key = hashlib.sha256(f"{target}@{digest}".encode()).hexdigest()
            lock = _lock(folder / f"{key}.lock")
        except OSError as error:
            _LOG.debug("the state of uploads is not saved: %s", reason_of(error))
            return None
        return None if lock is None else UploadFile(folder / f"{key}.json", lock, self._warn)


class UploadFile:
    """The state of one upload, locked by this process until it is released.

    `place` is the path and query of its session below `/v2/`, None if there is none, and `offset`
    how many bytes the registry had confirmed.
    """

    def __init__(self, path: Path, lock: int, warn: Callable[[str], None]) -> None:
        self._path = path
        self._lock = lock
        record: _Record | None = None
        try:
            record = _read(path)
        except (OSError, ValueError) as error:
            reason = reason_of(error) if isinstance(error, OSError) else error
            warn(f"{path.name}, the state of an unfinished upload, is ignored: {reason}")
        if record is None:
            self._remove()
        self.place = record.place if record else None
        self.offset = record.offset if record else 0

    def save(self, place: str, offset: int) -> None:
        """Save where the session is and how many bytes the registry has confirmed."""
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
            _LOG.debug("the state of an upload cannot be saved: %s", reason_of(error))
            return
        self.place, self.offset = place, offset

    def forget(self) -> None:
        """Remove the file; the lock stays with this process."""
        self.place, self.offset = None, 0
        self._remove()

    def release(self) -> None:
        """Unlock the upload; its saved state stays for a later run."""
        if self._lock < 0:
            return
        try:
            if not self._path.exists():
                self._path.with_suffix(".lock").unlink(missing_ok=True)
        except OSError as error:
            _LOG.debug("a lock file cannot be removed: %s", reason_of(error))
        os.close(self._lock)
        self._lock = -1

    def _remove(self) -> None:
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            _LOG.debug("the state of an upload cannot be removed: %s", reason_of(error))


def _lock(path: Path) -> int | None:
    """Lock the file at `path` and return its descriptor; None if another process has it."""
    for _ in range(3):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The process that had locked it may have removed the file in the meantime.
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
    """Read a file; None if there is none, or it is too old. Raise `ValueError` if not valid."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(file, "rb") as stream:
        about = os.fstat(file)
        if about.st_uid != os.geteuid() or about.st_mode & 0o077:
            raise ValueError("users other than its owner could read or write it")
        content = stream.read(_MAX_BYTES + 1)
    try:
        document = json.loads(content[:_MAX_BYTES])
        version, saved = document["version"], document["saved"]
        place, offset = document["place"], document["offset"]
        valid = version == _VERSION and type(offset) is type(saved) is int and offset >= 0
        valid = valid and _PLACE.fullmatch(place) is not None
    except (ValueError, TypeError, KeyError, RecursionError):
        valid = False
    if not valid:
        raise ValueError("it is damaged")
    return _Record(place, offset) if 0 <= time.time() - saved <= _MAX_AGE_SECONDS else None


def _sweep(folder: Path) -> None:
    """Remove the files that are too old to be used."""
    oldest = time.time() - _MAX_AGE_SECONDS
    for path in folder.glob("*.json"):
        if path.lstat().st_mtime >= oldest:
            continue
        lock = _lock(path.with_suffix(".lock"))
        if lock is not None:
            path.unlink(missing_ok=True)
            path.with_suffix(".lock").unlink(missing_ok=True)
            os.close(lock)
