"""Sending a blob into its upload session: in one PUT, or in chunks; and asking what arrived."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Protocol

from regimport.errors import BrokenTransfer, ContentMismatch, RegimportError, RegistryError
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.redact import safe_text
from regimport.registry.access import Access
from regimport.registry.blobs import has_blob, is_other
from regimport.registry.chunks import Chunking, Cutter
from regimport.registry.request import Request
from regimport.registry.retry import RETRYABLE
from regimport.transport.answers import Answer, error_of
from regimport.transport.origins import upload_location, with_digest

__all__ = ["BlobUpload", "SavedUpload", "UploadStore", "kept_bytes"]

_BODY = {"Content-Type": "application/octet-stream"}
# What registries answer for a session they no longer know: they do not agree on one status.
_SESSION_LOST = frozenset({400, 404, 416})
_PASSING = RETRYABLE | {HTTPStatus.UNAUTHORIZED}
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,18})")
_LOST_CODES = frozenset({"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "RANGE_INVALID"})


class SavedUpload(Protocol):
    """What is written down of one upload, held by this process alone."""

    place: str | None
    offset: int

    def note(self, place: str, offset: int) -> None:
        """Write down where the session is, below `/v2/`, and how far."""

    def forget(self) -> None:
        """Write down that there is none."""

    def release(self) -> None:
        """Let go of it; what is written stays."""


class UploadStore(Protocol):
    """Where uploads that were begun are written down."""

    def open(self, target: str, digest: Digest) -> SavedUpload | None:
        """Take hold of what is known of one; None if that cannot be."""


class BlobUpload:
    """An open upload session for one blob (OCI distribution specification, "Pushing blobs").

    `offset` is how much of the blob the registry has confirmed. No byte before it is sent again
    into this session; whoever is not sure what has arrived asks with `recover`.
    """

    def __init__(
        self,
        access: Access,
        blob: Descriptor,
        chunking: Chunking,
        location: str,
        *,
        least: int = 0,
        ticket: SavedUpload | None = None,
        offset: int = 0,
    ) -> None:
        self.offset = offset
        self._access = access
        self._blob = blob
        self._chunking = chunking
        self._location = location
        self._least = least
        self._ticket = ticket
        self._sent = 0

    def send(self, content: Iterator[bytes]) -> None:
        """Fill the session from `offset` on, and close it.

        In one PUT; or in chunks, if that was found to do better here. Raises `BrokenTransfer`
        where another attempt may go better, `ContentMismatch` if the registry says that the blob
        is not what its digest says.
        """
        chunk = self._chunking.chunk(self._blob, self._least)
        stream = Cutter(content)
        with self._access.located():
            if self.offset == 0 and (chunk is None or chunk >= self._blob.size):
                self._close(stream, self._blob.size)
                self._end()
                return
            self._note()
            while self.offset < self._blob.size:
                left = self._blob.size - self.offset
                self._append(stream, min(left, chunk or left))
            stream.finish()
            self._close(stream, 0)
            self._end()

    def recover(self) -> bool:
        """Ask the registry how much of the blob it has got; False if the session is of no use."""
        if not self._chunking.takes_chunks or self._sent == 0:
            return False
        try:
            request = Request("GET", self._location, self._access.scopes)
            answer = self._access.session.ask(request)
        except RegimportError:
            return False
        kept = kept_bytes(answer)
        # Before what it has confirmed, and behind what was sent, nothing it says makes sense.
        if not kept or not self.offset <= kept <= self._sent:
            return False
        self.offset = kept
        self._move(answer)
        return True

    def leave(self) -> None:
        """Leave the session to a later run, where it is written down; or give it back."""
        if self._ticket is None or self._ticket.place is None:
            self.cancel()
        else:
            self._ticket.release()

    def cancel(self) -> None:
        """Give the session back; not every registry cares."""
        self._access.session.dismiss(Request("DELETE", self._location, self._access.scopes))
        self._end()

    def _append(self, stream: Cutter, size: int) -> None:
        """Send the next `size` bytes as a chunk."""
        before = stream.taken
        last = self.offset + size - 1
        request = Request(
            "PATCH",
            self._location,
            self._access.scopes,
            {**_BODY, "Content-Length": str(size), "Content-Range": f"{self.offset}-{last}"},
            content=stream.part(size),
        )
        try:
            answer = self._access.session.send(request)
        finally:
            self._sent = self.offset + stream.taken - before
        if not answer.ok:
            raise self._chunk_refused(answer, size)
        # What it has taken counts: not every registry keeps the Range of its answers up to date.
        self._chunking.proven = self._chunking.proven or self.offset > 0
        self.offset += size
        self._move(answer)

    def _close(self, stream: Cutter, size: int) -> None:
        """End the session with a PUT of the last `size` bytes, and make sure of the blob."""
        session = self._access.session
        url, scopes = with_digest(self._location, self._blob.digest), self._access.scopes
        try:
            if size:
                headers = {**_BODY, "Content-Length": str(size)}
                content = stream.part(size)
                answer = session.send(Request("PUT", url, scopes, headers, content=content))
            else:
                stream.finish()
                answer = session.ask(Request("PUT", url, scopes, _BODY))
        except BrokenTransfer:
            # The answer may have been lost, not the blob.
            if self._is_stored():
                return
            if stream.taken:
                self._chunking.broke(self._blob)
            raise
        finally:
            self._sent = self.offset + stream.taken if size else self._sent
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
                f"the registry stored {safe_text(stored, 160)} in the place of {self._blob.digest}",
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
            return _adapted(f"{error_of(answer).message}; it goes in one piece now")
        error = error_of(answer)
        lost = answer.status in _SESSION_LOST
        return BrokenTransfer(error.message, hint=error.hint) if lost else error

    def _too_large(self, answer: Answer, size: int) -> RegimportError:
        if self._chunking.too_large(size, self._least):
            return _adapted(f"{error_of(answer).message}; it goes in smaller pieces now")
        return error_of(answer)

    def _move(self, answer: Answer) -> None:
        """Go on where the registry says: every answer may name another place."""
        location = answer.headers.get("location", "")
        if location:
            self._location = upload_location(answer.url, location)
        self._note()

    def _note(self) -> None:
        """Write down where the session is, if it is at the registry itself."""
        place = self._access.session.place_of(self._location)
        if self._ticket is not None and place is not None:
            self._ticket.note(place, self.offset)

    def _end(self) -> None:
        """Nobody is to come back to this session."""
        if self._ticket is not None:
            self._ticket.forget()
            self._ticket.release()

    def _is_stored(self) -> bool:
        try:
            return has_blob(self._access, self._blob)
        except RegimportError:
            return False


def kept_bytes(answer: Answer) -> int | None:
    """Read how many bytes a session has; None if it is gone.

    `0-0` stands for one byte and for none: it is taken for none.
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
    """Tell a session that was lost, or a registry that fails, from a refusal that stays."""
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
