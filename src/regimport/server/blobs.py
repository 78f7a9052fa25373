"""The routes of blobs and their uploads."""

from __future__ import annotations

import os
from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from regimport.layout.files import blob_parts
from regimport.layout.folder import CHUNK
from regimport.models.digest import Digest
from regimport.server.answers import Refusal, asked_digest, asked_repository
from regimport.server.ranges import Unsatisfiable, chunk_range, wanted_range
from regimport.server.store import Store
from regimport.server.uploads import Upload, Uploads

__all__ = ["Blobs"]

_BINARY = "application/octet-stream"


class Blobs:
    """Answers requests for blobs and upload sessions."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._uploads = Uploads(store.files)

    async def get(self, request: Request) -> Response:
        """Answer GET and HEAD of a blob, or of a part of it."""
        name, digest = asked_repository(request), asked_digest(request.path_params["digest"])
        size = self._store.blob_size(name, digest)
        if size is None:
            raise _blob_unknown(name, digest)
        headers = {
            "Accept-Ranges": "bytes",
            "Content-Length": str(size),
            "Content-Type": _BINARY,
            "Docker-Content-Digest": digest,
            "ETag": f'"{digest}"',
        }
        if request.method == "HEAD":
            return Response(headers=headers)
        status, part = 200, _part(request, size, headers["ETag"])
        if part is not None:
            status = 206
            headers["Content-Length"] = str(part[1] - part[0])
            headers["Content-Range"] = f"bytes {part[0]}-{part[1] - 1}/{size}"
        file = self._store.files.open(*blob_parts(digest))
        if file is None:
            raise _blob_unknown(name, digest)
        return _Content(file, part or (0, size), status, headers)

    async def delete(self, request: Request) -> Response:
        """Answer DELETE of a blob."""
        name, digest = asked_repository(request), asked_digest(request.path_params["digest"])
        if not await run_in_threadpool(self._store.delete_blob, name, digest):
            raise _blob_unknown(name, digest)
        return Response(status_code=202)

    async def start(self, request: Request) -> Response:
        """Answer POST: start an upload session, store a whole blob, or mount one."""
        name, query = asked_repository(request), request.query_params
        if "mount" in query:
            digest = asked_digest(query["mount"])
            if self._store.mount_blob(name, digest, query.get("from")) is not None:
                return _created(name, digest)
        whole = asked_digest(query["digest"]) if "digest" in query else None
        algorithm = whole.algorithm if whole else query.get("digest-algorithm", "sha256")
        if algorithm not in {"sha256", "sha512"}:
            raise Refusal(400, "UNSUPPORTED", f"unsupported digest algorithm {algorithm[:80]!r}")
        upload = self._uploads.start(name)
        upload.expect(algorithm)
        if whole is not None:
            async with upload.lock:
                return await self._finished(request, name, upload, whole)
        return _progress(name, upload, 202)

    async def status(self, request: Request) -> Response:
        """Answer GET of a session: how many bytes it has."""
        name, upload = self._session(request)
        return _progress(name, upload, 204)

    async def append(self, request: Request) -> Response:
        """Answer PATCH of a session: store a chunk, or a stream of unknown length."""
        name, upload = self._session(request)
        async with upload.lock:
            self._check_alive(upload)
            await self._take(request, name, upload)
            return _progress(name, upload, 202)

    async def finish(self, request: Request) -> Response:
        """Answer PUT of a session: store the rest, and make it a blob if its digest is right."""
        name, upload = self._session(request)
        if "digest" not in request.query_params:
            raise Refusal(400, "DIGEST_INVALID", "the query has no digest")
        digest = asked_digest(request.query_params["digest"])
        async with upload.lock:
            self._check_alive(upload)
            return await self._finished(request, name, upload, digest)

    async def cancel(self, request: Request) -> Response:
        """Answer DELETE of a session."""
        _, upload = self._session(request)
        self._uploads.end(upload)
        return Response(status_code=204)

    def _session(self, request: Request) -> tuple[str, Upload]:
        name = asked_repository(request)
        upload = self._uploads.find(name, request.path_params["session"])
        if upload is None:
            raise Refusal(404, "BLOB_UPLOAD_UNKNOWN", f"{name} has no such upload")
        return name, upload

    def _check_alive(self, upload: Upload) -> None:
        """Raise `Refusal` if the session ended while this request waited for its lock."""
        if not self._uploads.is_open(upload):
            raise Refusal(404, "BLOB_UPLOAD_UNKNOWN", "the upload has ended")

    async def _take(self, request: Request, name: str, upload: Upload) -> None:
        """Append a request's body, or raise `Refusal` for a chunk at another offset."""
        start, expected = upload.offset, _length(request)
        header = request.headers.get("content-range")
        if header is not None:
            chunk = chunk_range(header)
            if chunk is None or chunk[0] != start or expected not in {None, chunk[1]}:
                raise Refusal(
                    416,
                    "BLOB_UPLOAD_INVALID",
                    f"the next chunk begins at byte {start}; Content-Range says {header[:80]!r}",
                    headers=_session_headers(name, upload),
                )
            expected = chunk[1]
        await upload.receive(request.stream())
        if expected not in {None, upload.offset - start}:
            received = upload.offset - start
            upload.cut(start)
            raise Refusal(
                400,
                "SIZE_INVALID",
                f"{received} bytes were received, but {expected} were announced",
            )

    async def _finished(
        self, request: Request, name: str, upload: Upload, digest: Digest
    ) -> Response:
        start = upload.offset
        try:
            await self._take(request, name, upload)
        except Refusal:
            raise
        except BaseException:
            # Interrupted: the client may send this request again, with the same bytes.
            upload.cut(start)
            raise
        actual = await upload.digest(digest.algorithm)
        if actual != digest:
            self._uploads.end(upload)
            raise Refusal(
                400,
                "DIGEST_INVALID",
                "the content does not hash to the digest; the upload has ended",
                detail={"expected": digest, "actual": actual, "size": upload.offset},
            )
        self._store.keep_blob(name, digest, upload.parts)
        self._uploads.end(upload)
        return _created(name, digest)


class _Content(Response):
    """An answer that sends a part of a file, a piece at a time, and closes the file."""

    def __init__(
        self, file: int, part: tuple[int, int], status: int, headers: Mapping[str, str]
    ) -> None:
        super().__init__(status_code=status, headers=headers)
        self._file = file
        self._part = part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, as an ASGI application."""
        del scope, receive
        position, stop = self._part
        start = {"type": "http.response.start", "status": self.status_code}
        try:
            await send({**start, "headers": self.raw_headers})
            while position < stop:
                piece = await self._read(min(CHUNK, stop - position), position)
                position += len(piece)
                if (
                    not piece
                ):  # the file was truncated: the client notices that the answer is too short
                    break
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            os.close(self._file)

    async def _read(self, size: int, position: int) -> bytes:
        if size <= CHUNK // 8:
            return os.pread(self._file, size, position)
        return await run_in_threadpool(os.pread, self._file, size, position)


def _part(request: Request, size: int, etag: str) -> tuple[int, int] | None:
    """Return the first byte of the requested part and the one after its last; None for all."""
    if request.headers.get("if-range", etag) != etag:
        return None
    try:
        return wanted_range(request.headers.get("range"), size)
    except Unsatisfiable as error:
        headers = {"Content-Range": f"bytes */{size}"}
        raise Refusal(416, "SIZE_INVALID", f"the blob has {size} bytes", headers=headers) from error


def _length(request: Request) -> int | None:
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def _session_headers(name: str, upload: Upload) -> dict[str, str]:
    """Return the headers that describe a session; its Range is 0-0 while it is empty."""
    return {
        "Location": f"/v2/{name}/blobs/uploads/{upload.identifier}",
        "Range": f"0-{max(0, upload.offset - 1)}",
        "Docker-Upload-UUID": upload.identifier,
    }


def _progress(name: str, upload: Upload, status: int) -> Response:
    headers = _session_headers(name, upload)
    if status != 204:  # an answer without a length: RFC 9110, section 8.6
        headers["Content-Length"] = "0"
    return Response(status_code=status, headers=headers)


def _created(name: str, digest: Digest) -> Response:
    headers = {
        "Location": f"/v2/{name}/blobs/{digest}",
        "Docker-Content-Digest": digest,
        "Content-Length": "0",
    }
    return Response(status_code=201, headers=headers)


def _blob_unknown(name: str, digest: Digest) -> Refusal:
    return Refusal(404, "BLOB_UNKNOWN", f"{name} has no blob {digest}", detail={"digest": digest})
