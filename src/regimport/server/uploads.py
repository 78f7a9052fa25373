"""Upload sessions: files that grow, hashed while they do."""

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
# Below this, handing work to a thread costs more than the work.
_SMALL = 128 * 1024
_MAX_AGE_SECONDS = 24 * 3600


class Upload:
    """One session. Its file says how far it is, also after a restart of the server."""

    def __init__(self, files: Files, identifier: str, offset: int) -> None:
        self.identifier = identifier
        self.parts = (_FOLDER, identifier)
        self.offset = offset
        self.turn = asyncio.Lock()
        self._files = files
        self._path = files.root / _FOLDER / identifier
        self._algorithm = "sha256"
        self._hasher: Hasher = hashlib.sha256()
        self._hashed = 0

    def expect(self, algorithm: str) -> None:
        """Hash with `algorithm` from now on; it is what the digest will be of."""
        if algorithm != self._algorithm:
            self._algorithm, self._hasher, self._hashed = algorithm, hashlib.new(algorithm), 0

    async def receive(self, content: AsyncIterable[bytes]) -> None:
        """Append what comes; in memory is never more than a piece of it."""
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
            # Also where the client went away: what has come need not come again.
            try:
                if held > _SMALL:
                    await run_in_threadpool(self._append, file, pieces)
                else:
                    self._append(file, pieces)
            finally:
                os.close(file)

    async def digest(self, algorithm: str) -> Digest:
        """Give the digest of all that has come."""
        self.expect(algorithm)
        if self._hashed != self.offset:
            await run_in_threadpool(self._rehash)
        return Digest(f"{algorithm}:{self._hasher.hexdigest()}")

    def cut(self, offset: int) -> None:
        """Forget what came behind `offset`."""
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
    """All sessions of a registry."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._open: dict[str, Upload] = {}
        self._sweep()

    def start(self, repository: str) -> Upload:
        """Begin a session of a repository."""
        identifier = f"{secrets.token_hex(16)}-{_mark(repository)}"
        os.close(self._files.make(_FOLDER, identifier))
        upload = self._open[identifier] = Upload(self._files, identifier, 0)
        return upload

    def find(self, repository: str, identifier: str) -> Upload | None:
        """Find a session of a repository; None if there is none."""
        if not _ID.fullmatch(identifier) or not identifier.endswith(_mark(repository)):
            return None
        upload = self._open.get(identifier)
        if upload is None:
            size = self._files.size(_FOLDER, identifier)
            if size is not None:
                upload = self._open[identifier] = Upload(self._files, identifier, size)
        return upload

    def is_open(self, upload: Upload) -> bool:
        """Tell whether a session goes on."""
        return self._open.get(upload.identifier) is upload

    def end(self, upload: Upload) -> None:
        """Forget a session, and what has come of it."""
        self._open.pop(upload.identifier, None)
        self._files.remove(*upload.parts)

    def _sweep(self) -> None:
        """Remove what nobody has come back to."""
        folder = self._files.root / _FOLDER
        oldest = time.time() - _MAX_AGE_SECONDS
        with explained(self._files.root):
            for path in folder.iterdir() if folder.is_dir() else ():
                if path.stat().st_mtime < oldest:
                    path.unlink()


def _mark(repository: str) -> str:
    """Give the part of an identifier that binds it to its repository, without a record of it."""
    return hashlib.sha256(repository.encode()).hexdigest()[:16]
