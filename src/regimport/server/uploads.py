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

from regimport.layout.folder import CHUNK, Folder, explained
from regimport.models.digest import Digest, Hasher
from regimport.server.answers import Refusal

__all__ = ["Upload", "Uploads"]

_FOLDER = "uploads"
_ID = re.compile(r"[0-9a-f]{32}-[0-9a-f]{16}")
# Up to this size, in bytes, handing a write to a thread costs more than the write.
_SMALL = 128 * 1024
# A client that was interrupted may come back on the same day.
MAX_AGE_SECONDS = 24 * 3600
# How often sessions are looked through, when new ones are started.
SWEEP_SECONDS = 60
# Sessions at once. A client has a few, for the layers that it pushes in parallel.
MAX_SESSIONS = 1000
# Beyond MAX_SESSIONS, the session that was not used for longest ends, but none within this time.
MIN_AGE_SECONDS = 60
# Bytes in all unfinished uploads: more than any image needs, and less than most disks have.
MAX_UNFINISHED_BYTES = 256 * 1024**3


class Upload:
    """One session; its offset is the size of its file, also after a restart of the server."""

    def __init__(self, uploads: Uploads, identifier: str, offset: int, used: float) -> None:
        self.identifier = identifier
        self.parts = (_FOLDER, identifier)
        self.offset = offset
        self.used = used
        self.lock = asyncio.Lock()
        self._uploads = uploads
        self._folder = uploads.folder
        self._algorithm = "sha256"
        self._hasher: Hasher = hashlib.sha256()
        self._hashed = 0

    def expect(self, algorithm: str) -> None:
        """Hash with `algorithm` from now on, which the digest will have."""
        if algorithm != self._algorithm:
            self._algorithm, self._hasher, self._hashed = algorithm, hashlib.new(algorithm), 0

    async def receive(self, content: AsyncIterable[bytes]) -> None:
        """Append a stream; only a piece of it is ever in memory.

        Raise `Refusal` if the unfinished uploads have too many bytes; what fits is kept.
        """
        pieces: list[bytes] = []
        held = 0
        file = self._file()
        try:
            async for piece in content:
                if not pieces:  # once for each piece that is written
                    self._uploads.check_room(len(piece))
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
        if self.offset == offset:
            return
        file = self._file()
        try:
            with explained(self._folder.root):
                os.ftruncate(file, offset)
        finally:
            os.close(file)
        self.offset = offset
        self._hasher, self._hashed = hashlib.new(self._algorithm), 0

    def _file(self) -> int:
        """Open the file for appending, or raise `Refusal` if another program has removed it."""
        file = self._folder.open_to_append(*self.parts)
        if file is None:
            raise Refusal(404, "BLOB_UPLOAD_UNKNOWN", "the upload has ended")
        return file

    def _append(self, file: int, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            rest = memoryview(piece)
            with explained(self._folder.root):
                while rest:
                    rest = rest[os.write(file, rest) :]
            if self._hashed == self.offset:
                self._hasher.update(piece)
                self._hashed += len(piece)
            self.offset += len(piece)
        self.used = time.time()

    def _rehash(self) -> None:
        """Hash the file from its beginning, after a restart or for another algorithm."""
        self._hasher, self._hashed = hashlib.new(self._algorithm), 0
        file = self._folder.open(*self.parts)
        if file is None:
            raise Refusal(404, "BLOB_UPLOAD_UNKNOWN", "the upload has ended")
        with os.fdopen(file, "rb") as content, explained(self._folder.root):
            while piece := content.read(CHUNK):
                self._hasher.update(piece)
                self._hashed += len(piece)


class Uploads:
    """The upload sessions of a registry, in the folder `uploads`; only names of theirs are touched.

    Raise `RegimportError` if that is not a folder.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self._open: dict[str, Upload] = {}
        self._swept = time.monotonic()
        for name in folder.files_in(_FOLDER):
            status = folder.status(_FOLDER, name) if _ID.fullmatch(name) else None
            if status is not None:
                self._open[name] = Upload(self, name, status.st_size, status.st_mtime)
        self._sweep(MAX_SESSIONS)

    def start(self, repository: str) -> Upload:
        """Start a session in a repository, or raise `Refusal` if there are too many."""
        full = len(self._open) >= MAX_SESSIONS
        if full or time.monotonic() - self._swept >= SWEEP_SECONDS:
            self._sweep(MAX_SESSIONS - 1)
            if len(self._open) >= MAX_SESSIONS:
                raise Refusal(
                    429,
                    "TOOMANYREQUESTS",
                    f"{MAX_SESSIONS} uploads are under way; try again in a minute",
                    headers={"Retry-After": str(MIN_AGE_SECONDS)},
                )
        identifier = f"{secrets.token_hex(16)}-{_repository_hash(repository)}"
        os.close(self.folder.make(_FOLDER, identifier))
        upload = self._open[identifier] = Upload(self, identifier, 0, time.time())
        return upload

    def find(self, repository: str, identifier: str) -> Upload | None:
        """Return a session of a repository; None if there is none."""
        if not identifier.endswith(_repository_hash(repository)):
            return None
        upload = self._open.get(identifier)
        if upload is not None:
            upload.used = time.time()
        return upload

    def is_open(self, upload: Upload) -> bool:
        """Return whether a session has not ended."""
        return self._open.get(upload.identifier) is upload

    def end(self, upload: Upload) -> None:
        """End a session and remove its file."""
        self._open.pop(upload.identifier, None)
        self.folder.remove(*upload.parts)

    def check_room(self, more: int) -> None:
        """Raise `Refusal` if the unfinished uploads with `more` bytes would be too large."""
        if sum(upload.offset for upload in self._open.values()) + more > MAX_UNFINISHED_BYTES:
            raise Refusal(
                413,
                "DENIED",
                f"the unfinished uploads have more than {MAX_UNFINISHED_BYTES} bytes",
            )

    def _sweep(self, most: int) -> None:
        """End the sessions that are too old, and the oldest until there are at most `most`."""
        self._swept, now = time.monotonic(), time.time()
        idle = sorted(
            (upload for upload in self._open.values() if not upload.lock.locked()),
            key=lambda upload: upload.used,
        )
        for upload in idle:
            age, limit = now - upload.used, MAX_AGE_SECONDS
            if len(self._open) > most:
                limit = MIN_AGE_SECONDS
            if age < limit:
                break
            self.end(upload)


def _repository_hash(repository: str) -> str:
    """Return the part of an identifier that ties it to its repository."""
    return hashlib.sha256(repository.encode()).hexdigest()[:16]
