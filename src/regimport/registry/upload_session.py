"""An upload session: sending a blob in one PUT or in chunks, and asking what has arrived."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Protocol

from regimport.errors import BrokenTransfer, ContentMismatch, RegimportError, RegistryError
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.redact import safe_text
from regimport.registry.blobs import has_blob, is_other
from regimport.registry.chunks import Chunking, Cutter
from regimport.registry.repository_client import RepositoryClient
from regimport.registry.request import Request
from regimport.registry.retry import RETRYABLE
from regimport.transport.answers import REDIRECTS_OF_WRITES, Answer, error_of
from regimport.transport.origins import redirect_target, upload_location, with_digest

__all__ = ["BlobUpload", "SavedUpload", "UploadStore", "kept_bytes"]

_BODY = {"Content-Type": "application/octet-stream"}
# Statuses with which registries answer for a session that they no longer know.
_SESSION_LOST = frozenset({400, 404, 416})
_PASSING = RETRYABLE | {HTTPStatus.UNAUTHORIZED}
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,18})")
_LOST_CODES = frozenset({"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "RANGE_INVALID"})


class SavedUpload(Protocol):
    """The saved state of one unfinished upload, locked by this process."""

    place: str | None
    offset: int

    def save(self, place: str, offset: int) -> None:
        """Save the path of the session below `/v2/`, and how many bytes are confirmed."""

    def forget(self) -> None:
        """Delete the saved state."""

    def release(self) -> None:
        """Unlock it; the saved state stays."""


class UploadStore(Protocol):
    """Where the state of unfinished uploads is saved."""

    def open(self, target: str, digest: Digest) -> SavedUpload | None:
        """Lock and return the state of an upload; None if another process has locked it."""


class BlobUpload:
    """An open upload session for one blob (OCI distribution specification, "Pushing blobs").

    `offset` is how many bytes of the blob the registry has confirmed. They are not sent again in
    this session; `recover` asks how many have arrived.
    """

    def __init__(
        self,
        client: RepositoryClient,
        blob: Descriptor,
        chunking: Chunking,
        location: str,
        *,
        least: int = 0,
        saved: SavedUpload | None = None,
        offset: int = 0,
    ) -> None:
        self.offset = offset
        self._client = client
        self._blob = blob
        self._chunking = chunking
        self._location = location
        self._least = least
        self._saved = saved
        self._sent = 0
        self._redirected = False

    def send(self, content: Iterator[bytes]) -> None:
        """Send the blob from `offset` on, in one PUT or in chunks, and close the session.

        Raise `BrokenTransfer` if another attempt may succeed, `ContentMismatch` if the registry
        says that the blob does not have its digest.
        """
        chunk = self._chunking.chunk(self._blob, self._least)
        stream = Cutter(content)
        with self._client.located():
            if self.offset == 0 and (chunk is None or chunk >= self._blob.size):
                self._close(stream, self._blob.size)
                self._end()
                return
            self._save()
            while self.offset < self._blob.size:
                left = self._blob.size - self.offset
                self._append(stream, min(left, chunk or left))
            stream.finish()
            self._close(stream, 0)
            self._end()

    def recover(self) -> bool:
        """Ask the registry how many bytes it has; return False if the session cannot be used.

        A session that was redirected is used again at its new place, from the same byte on.
        """
        if self._redirected:
            self._redirected = False
            return True
        if not self._chunking.takes_chunks or self._sent == 0:
            return False
        try:
            request = Request("GET", self._location, self._client.scopes)
            answer = self._client.session.ask(request)
        except RegimportError:
            return False
        kept = kept_bytes(answer)
        # Less than it has confirmed, or more than was sent, cannot be true.
        if not kept or not self.offset <= kept <= self._sent:
            return False
        self.offset = kept
        self._move(answer)
        return True

    def leave(self) -> None:
        """Keep the session for a later run if its state is saved, otherwise cancel it."""
        if self._saved is None or self._saved.place is None:
            self.cancel()
        else:
            self._saved.release()

    def cancel(self) -> None:
        """Delete the session; not every registry supports that."""
        self._client.session.dismiss(Request("DELETE", self._location, self._client.scopes))
        self._end()

    def _append(self, stream: Cutter, size: int) -> None:
        """Send the next `size` bytes as a chunk."""
        before = stream.taken
        last = self.offset + size - 1
        request = Request(
            "PATCH",
            self._location,
            self._client.scopes,
            {**_BODY, "Content-Length": str(size), "Content-Range": f"{self.offset}-{last}"},
            content=stream.part(size),
        )
        try:
            answer = self._client.session.send(request)
        finally:
            self._sent = self.offset + stream.taken - before
        if answer.status in REDIRECTS_OF_WRITES:
            raise self._redirect(answer)
        if not answer.ok:
            raise self._chunk_refused(answer, size)
        # Its whole size counts: not every registry updates the Range of its answers.
        self._chunking.proven = self._chunking.proven or self.offset > 0
        self.offset += size
        self._move(answer)

    def _close(self, stream: Cutter, size: int) -> None:
        """Close the session with a PUT of the last `size` bytes, and check the result."""
        session = self._client.session
        url, scopes = with_digest(self._location, self._blob.digest), self._client.scopes
        try:
            if size:
                headers = {**_BODY, "Content-Length": str(size)}
                content = stream.part(size)
                answer = session.send(Request("PUT", url, scopes, headers, content=content))
            else:
                stream.finish()
                answer = session.ask(Request("PUT", url, scopes, _BODY))
        except BrokenTransfer:
            # Perhaps only the answer was lost.
            if self._is_stored():
                return
            if stream.taken:
                self._chunking.broke(self._blob)
            raise
        finally:
            self._sent = self.offset + stream.taken if size else self._sent
        if answer.status in REDIRECTS_OF_WRITES:
            raise self._redirect(answer)
        if answer.status == HTTPStatus.CREATED:
            self._check_digest(answer)
        elif not self._is_stored():
            if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                raise self._too_large(answer, size)
            raise _refusal(answer)

    def _check_digest(self, answer: Answer) -> None:
        if is_other(answer, self._blob) and not self._is_stored():
            stored = answer.headers["docker-content-digest"]
            raise ContentMismatch(
                f"the registry stored {safe_text(stored, 160)} instead of {self._blob.digest}",
                expected=self._blob.digest,
                got=safe_text(stored, 160),
            )

    def _chunk_refused(self, answer: Answer, size: int) -> RegimportError:
        if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return self._too_large(answer, size)
        passing = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in _PASSING
        if passing:
            return _refusal(answer)
        self._sent = 0
        if self._chunking.refused():
            return _adapted(f"{error_of(answer).message}; it is sent in one piece now")
        error = error_of(answer)
        lost = answer.status in _SESSION_LOST
        return BrokenTransfer(error.message, hint=error.hint) if lost else error

    def _too_large(self, answer: Answer, size: int) -> RegimportError:
        if self._chunking.too_large(size, self._least):
            return _adapted(f"{error_of(answer).message}; it is sent in smaller pieces now")
        return error_of(answer)

    def _redirect(self, answer: Answer) -> BrokenTransfer:
        """Go to the new place; what was sent of a body is gone, and has to be read again."""
        self._location = redirect_target(answer.url, answer.headers.get("location", ""))
        self._redirected = True
        return _adapted(f"{error_of(answer).message}; it is sent there now")

    def _move(self, answer: Answer) -> None:
        """Continue at the URL in the answer, which may be another one each time."""
        location = answer.headers.get("location", "")
        if location:
            self._location = upload_location(answer.url, location)
        self._save()

    def _save(self) -> None:
        """Save the state of the session, if its URL is at the registry itself."""
        place = self._client.session.place_of(self._location)
        if self._saved is not None and place is not None:
            self._saved.save(place, self.offset)

    def _end(self) -> None:
        """Delete the saved state of the session, which has ended."""
        if self._saved is not None:
            self._saved.forget()
            self._saved.release()

    def _is_stored(self) -> bool:
        try:
            return has_blob(self._client, self._blob)
        except RegimportError:
            return False


def kept_bytes(answer: Answer) -> int | None:
    """Return how many bytes a session has; None if it does not exist.

    `0-0` may mean one byte or none; it is taken to mean none.
    """
    if not answer.ok:
        return None
    match = _RANGE.fullmatch(answer.headers.get("range", "").strip())
    last = int(match[1]) if match else 0
    return last + 1 if last else 0


def _adapted(message: str) -> BrokenTransfer:
    error = BrokenTransfer(message)
    error.adapted = True
    return error


def _refusal(answer: Answer) -> RegimportError:
    """Return the error for a refused upload: `BrokenTransfer` if another attempt may succeed."""
    error = error_of(answer)
    codes = error.codes if isinstance(error, RegistryError) else ()
    if "DIGEST_INVALID" in codes:
        return ContentMismatch(error.message, hint=error.hint)
    lost = answer.status in _SESSION_LOST and (
        answer.status != HTTPStatus.BAD_REQUEST or _LOST_CODES.intersection(codes)
    )
    passing = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in _PASSING
    if lost or passing or answer.ok:
        return BrokenTransfer(error.message, hint=error.hint)
    return error
