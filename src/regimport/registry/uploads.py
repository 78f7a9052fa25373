"""Uploads: an upload session is started, filled by one PUT, and closed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import urlencode

from regimport.errors import BrokenTransfer, RegimportError, RegistryError
from regimport.models.descriptor import Descriptor
from regimport.registry.access import Access
from regimport.registry.blobs import has_blob
from regimport.registry.locations import upload_location, with_digest
from regimport.registry.request import Request
from regimport.registry.responses import Answer, error_of

__all__ = ["BlobUpload", "start_upload"]

_UPLOADS = "blobs/uploads/"
_BODY = {"Content-Type": "application/octet-stream"}
# What registries answer for a session they no longer know: they do not agree on one status.
_SESSION_LOST = frozenset({400, 404, 416})
_LOST_CODES = frozenset({"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "RANGE_INVALID"})


class BlobUpload:
    """An open upload session for one blob (OCI distribution specification, "Pushing blobs")."""

    def __init__(self, access: Access, blob: Descriptor, location: str) -> None:
        self._access = access
        self._blob = blob
        self._location = location

    def send(self, content: Iterator[bytes]) -> None:
        """Fill the session with the whole blob in one PUT, and close it.

        Raises `BrokenTransfer` where another session may do better.
        """
        blob = self._blob
        request = Request(
            "PUT",
            with_digest(self._location, blob.digest),
            self._access.scopes,
            {**_BODY, "Content-Length": str(blob.size)},
            content=content,
        )
        with self._access.located():
            try:
                answer = self._access.session.send(request)
            except BrokenTransfer:
                # The answer may have been lost, not the blob.
                if self._is_stored():
                    return
                raise
            if answer.status != HTTPStatus.CREATED and not self._is_stored():
                raise _refusal(answer)

    def cancel(self) -> None:
        """Give the session back; a registry that does not care is not asked twice."""
        try:
            self._access.session.send(Request("DELETE", self._location, self._access.scopes))
        except RegimportError:
            return

    def _is_stored(self) -> bool:
        try:
            return has_blob(self._access, self._blob)
        except RegimportError:
            return False


def start_upload(
    access: Access, blob: Descriptor, mount_from: str | None = None
) -> BlobUpload | None:
    """Open an upload session, or take the blob over from `mount_from`; None if it is there now.

    A registry that will not mount opens a session instead; one that refuses the question is
    asked again without it.
    """
    if mount_from is not None:
        answer = _ask_mount(access, blob, mount_from)
        mounted = answer is not None and answer.status == HTTPStatus.CREATED
        # A registry that says yes to a question it did not understand has nothing.
        if mounted and (mount_from != access.repository or has_blob(access, blob)):
            return None
        if answer is not None and answer.status == HTTPStatus.ACCEPTED:
            return _opened(access, blob, answer)
    answer = access.ask("POST", _UPLOADS)
    if answer.status == HTTPStatus.ACCEPTED:
        return _opened(access, blob, answer)
    if not answer.ok:
        raise error_of(answer)
    if has_blob(access, blob):
        return None
    raise RegistryError(
        f"the registry answered {answer.status} to the start of an upload, not 202",
        method="POST",
        status=answer.status,
    )


def _ask_mount(access: Access, blob: Descriptor, mount_from: str) -> Answer | None:
    """Ask for a mount, which needs the right to pull from there; None if that is refused."""
    own = mount_from == access.repository
    more = () if own else (f"repository:{mount_from}:pull",)
    wider = replace(access, scopes=(*access.scopes, *more))
    query = urlencode({"mount": blob.digest, "from": mount_from})
    try:
        return wider.ask("POST", f"{_UPLOADS}?{query}")
    except RegimportError:
        return None


def _opened(access: Access, blob: Descriptor, answer: Answer) -> BlobUpload:
    location = upload_location(answer.url, answer.headers.get("location", ""))
    return BlobUpload(access, blob, location)


def _refusal(answer: Answer) -> RegimportError:
    """Tell a session that was lost, or a registry that fails, from a refusal that stays."""
    error = error_of(answer)
    codes = error.codes if isinstance(error, RegistryError) else ()
    lost = answer.status in _SESSION_LOST and (
        answer.status != HTTPStatus.BAD_REQUEST or _LOST_CODES.intersection(codes)
    )
    passing = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in {401, 408, 429}
    if lost or passing or answer.ok:
        return BrokenTransfer(error.message, hint=error.hint)
    return error
