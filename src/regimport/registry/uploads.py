"""Uploads: a session is started, or found again, or a mount makes it needless."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import urlencode

from regimport.errors import Interrupted, RateLimited, RegimportError, RegistryError
from regimport.models.descriptor import Descriptor
from regimport.registry.access import Access
from regimport.registry.blobs import has_blob
from regimport.registry.chunks import Chunking
from regimport.registry.request import Request
from regimport.registry.upload_session import BlobUpload, SavedUpload, UploadStore, kept_bytes
from regimport.transport.answers import Answer, error_of
from regimport.transport.origins import upload_location

__all__ = ["UploadContext", "start_upload"]

_UPLOADS = "blobs/uploads/"


@dataclass(frozen=True, slots=True)
class UploadContext:
    """What uploads to one repository have in common.

    `ledger` gives the record of the uploads that were begun; only large blobs ask for it.
    """

    access: Access
    chunking: Chunking
    ledger: Callable[[], UploadStore] | None = None

    def ticket(self, blob: Descriptor) -> SavedUpload | None:
        """Take hold of what is known of a blob's upload, if one of its size is worth that."""
        if self.ledger is None or self.chunking.chunk(blob, 0) is None:
            return None
        return self.ledger().open(self.access.name, blob.digest)


def start_upload(
    desk: UploadContext, blob: Descriptor, mount_from: str | None = None
) -> BlobUpload | None:
    """Open an upload session, or take the blob over from `mount_from`; None if it is there now.

    A session that an earlier run has left is gone on with. A registry that will not mount opens a
    session instead; one that refuses the question is asked again without it.
    """
    ticket = desk.ticket(blob)
    try:
        upload = _opened(desk, blob, ticket, mount_from)
    except BaseException:
        if ticket is not None:
            ticket.release()
        raise
    if upload is None and ticket is not None:
        ticket.forget()
        ticket.release()
    return upload


def _opened(
    desk: UploadContext, blob: Descriptor, ticket: SavedUpload | None, mount_from: str | None
) -> BlobUpload | None:
    access = desk.access
    own = mount_from == access.repository
    if ticket is not None and ticket.place is not None and own:
        if has_blob(access, blob):
            return None
        upload = _found_again(desk, blob, ticket, ticket.place)
        if upload is not None:
            return upload
        ticket.forget()
    if mount_from is not None:
        answer = _ask_mount(access, blob, mount_from)
        mounted = answer is not None and answer.status == HTTPStatus.CREATED
        # A registry that says yes to a question it did not understand has nothing.
        if mounted and (mount_from != access.repository or has_blob(access, blob)):
            return None
        placed = answer is not None and answer.headers.get("location", "").strip()
        if answer is not None and answer.status == HTTPStatus.ACCEPTED and placed:
            return _begun(desk, blob, ticket, answer)
    answer = access.retry_once_if_forbidden("POST", _UPLOADS)
    if answer.status == HTTPStatus.ACCEPTED:
        return _begun(desk, blob, ticket, answer)
    if not answer.ok:
        raise error_of(answer)
    if has_blob(access, blob):
        return None
    raise RegistryError(
        f"the registry answered {answer.status} to the start of an upload, not 202",
        method="POST",
        status=answer.status,
    )


def _found_again(
    desk: UploadContext, blob: Descriptor, ticket: SavedUpload, place: str
) -> BlobUpload | None:
    """Ask for the session of an earlier run; None if it is gone, or what it says makes no sense."""
    access = desk.access
    if not place.startswith(f"{access.repository}/{_UPLOADS}"):
        return None
    try:
        answer = access.session.ask(Request("GET", place, access.scopes))
    except RegimportError:
        return None
    kept = kept_bytes(answer)
    if not kept or not ticket.offset <= kept <= blob.size:
        return None
    location = answer.headers.get("location", "")
    url = upload_location(answer.url, location) if location else answer.url
    return BlobUpload(access, blob, desk.chunking, url, ticket=ticket, offset=kept)


def _ask_mount(access: Access, blob: Descriptor, mount_from: str) -> Answer | None:
    """Ask for a mount, which needs the right to pull from there; None if that is refused."""
    own = mount_from == access.repository
    more = () if own else (f"repository:{mount_from}:pull",)
    wider = replace(access, scopes=(*access.scopes, *more))
    query = urlencode({"mount": blob.digest, "from": mount_from})
    try:
        return wider.ask("POST", f"{_UPLOADS}?{query}")
    except (RateLimited, Interrupted):
        raise
    except RegimportError:
        return None


def _begun(
    desk: UploadContext, blob: Descriptor, ticket: SavedUpload | None, answer: Answer
) -> BlobUpload:
    location = upload_location(answer.url, answer.headers.get("location", ""))
    said = answer.headers.get("oci-chunk-min-length", "")
    least = int(said) if re.fullmatch(r"[0-9]{1,15}", said) else 0
    return BlobUpload(desk.access, blob, desk.chunking, location, least=least, ticket=ticket)
