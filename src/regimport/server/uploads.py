"""Upload sessions: files that are hashed while they are written."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import time
from collections.abc import AsyncIterable, Sequence

from starlette.concurrency import run_in_threadpool

from regimport.layout.files import CHUNK, Files, explained
from regimport.models.digest import Digest, Hasher

__all__ = ["Upload", "Uploads"]

_FOLDER = "uploads"
_ID = re.compile(r"[0-9a-f]{32}-[0-9a-f]{16}")
# Up to this size, in bytes, handing a write to a thread costs more than the write.
_SMALL = 128 * 1024
_MAX_AGE_SECONDS = 24 * 3600


class Upload:
    """One session; its offset is the size of its file, also after a restart of the server."""

    def __init__(self, files: Files, identifier: str, offset: int) -> None:
        self.identifier = identifier
        self.parts = (_FOLDER, identifier)
        self.offset = offset
        self.lock = asyncio.Lock()
        self._files = files
        self._path = files.root / _FOLDER / identifier
        self._algorithm = "sha256"
        self._hasher: Hasher = hashlib.sha256()
        self._hashed = 0

    def expect(self, algorithm: str) -> None:
        """Hash with `algorithm` from now on, which the digest will have."""
        if algorithm != self._algorithm:
            self._algorithm, self._hasher, self._hashed = algorithm, hashlib.new(algorithm), 0

    async def receive(self, content: AsyncIterable[bytes]) -> None:
        """Append a stream; only a piece of it is ever in memory."""
        pieces: list[bytes] = []
        held = 0
        with explained(self._files.root):
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            async for piece in content:
                pieces.append(piece)
                held += len(piece)
                if held >= CHUNK:
                    await run_in_threadpool(self._append, file, pieces)
                    pieces, held = [], 0
        finally:
            # Also if the client has disconnected: what was received need not be sent again.
            try:
                if held > _SMALL:
                    await run_in_threadpool(self._append, file, pieces)
                else:
                    self._append(file, pieces)
            finally:
                os.close(file)

    async def digest(self, algorithm: str) -> Digest:
        """Return the digest of all bytes received so far."""
        self.expect(algorithm)
        if self._hashed != self.offset:
            await run_in_threadpool(self._rehash)
        return Digest(f"{algorithm}:{self._hasher.hexdigest()}")

    def cut(self, offset: int) -> None:
        """Remove the bytes after `offset`."""
        if self.offset != offset:
            with explained(self._files.root):
                os.truncate(self._path, offset)
            self.offset = offset
            self._hasher, self._hashed = hashlib.new(self._algorithm), 0

    def _append(self, file: int, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            rest = memoryview(piece)
            with explained(self._files.root):
                while rest:
                    rest = rest[os.write(file, rest) :]
            if self._hashed == self.offset:
                self._hasher.update(piece)
                self._hashed += len(piece)
            self.offset += len(piece)

    def _rehash(self) -> None:
        """Hash the file from its beginning, after a restart or for another algorithm."""
        self._hasher, self._hashed = hashlib.new(self._algorithm), 0
        with explained(self._files.root), self._path.open("rb") as file:
            while piece := file.read(CHUNK):
                self._hasher.update(piece)
                self._hashed += len(piece)


class Uploads:
    """The upload sessions of a registry."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._open: dict[str, Upload] = {}
        self._sweep()

    def start(self, repository: str) -> Upload:
        """Start a session in a repository."""
        identifier = f"{secrets.token_hex(16)}-{_repository_hash(repository)}"
        os.close(self._files.make(_FOLDER, identifier))
        upload = self._open[identifier] = Upload(self._files, identifier, 0)
        return upload

    def find(self, repository: str, identifier: str) -> Upload | None:
        """Return a session of a repository; None if there is none."""
        if not _ID.fullmatch(identifier) or not identifier.endswith(_repository_hash(repository)):
            return None
        upload = self._open.get(identifier)
        if upload is None:
            size = self._files.size(_FOLDER, identifier)
            if size is not None:
                upload = self._open[identifier] = Upload(self._files, identifier, size)
        return upload

    def is_open(self, upload: Upload) -> bool:
        """Return whether a session has not ended."""
        return self._open.get(upload.identifier) is upload

    def end(self, upload: Upload) -> None:
        """End a session and remove its file."""
        self._open.pop(upload.identifier, None)
        self._files.remove(*upload.parts)

    def _sweep(self) -> None:
        """Remove the files of sessions that were not continued for a day."""
        folder = self._files.root / _FOLDER
        oldest = time.time() - _MAX_AGE_SECONDS
        with explained(self._files.root):
            for path in folder.iterdir() if folder.is_dir() else ():
                if path.stat().st_mtime < oldest:
                    path.unlink()


def _repository_hash(repository: str) -> str:
    """Return the part of an identifier that ties it to its repository."""
    return hashlib.sha256(repository.encode()).hexdigest()[:16]
