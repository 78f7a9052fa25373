"""Starting uploads: mount the blob, continue an earlier session, or start a new one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import urlencode

from regimport.errors import Interrupted, RateLimited, RegimportError, RegistryError
from regimport.models.descriptor import Descriptor
from regimport.registry.blobs import has_blob
from regimport.registry.chunks import Chunking
from regimport.registry.repository_client import RepositoryClient
from regimport.registry.request import Request
from regimport.registry.upload_session import BlobUpload, SavedUpload, UploadStore, kept_bytes
from regimport.transport.answers import Answer, error_of
from regimport.transport.origins import upload_location
from regimport.values import dataclass

__all__ = ["UploadContext", "start_upload"]

_UPLOADS = "blobs/uploads/"


@dataclass(frozen=True, slots=True)
class UploadContext:
    """What the uploads to one repository share.

    `open_store` returns the store of unfinished uploads; it is called for large blobs only.
    """

    client: RepositoryClient
    chunking: Chunking
    open_store: Callable[[], UploadStore] | None = None

    def open_saved(self, blob: Descriptor) -> SavedUpload | None:
        """Lock and return the saved state of a blob's upload, if the blob is large enough."""
        if self.open_store is None or self.chunking.chunk(blob, 0) is None:
            return None
        return self.open_store().open(self.client.name, blob.digest)


def start_upload(
    context: UploadContext, blob: Descriptor, mount_from: str | None = None
) -> BlobUpload | None:
    """Start an upload session, or mount the blob from `mount_from`; None if it is there now.

    A session that an earlier run has left is continued. A registry that does not mount starts a
    session instead; if it refuses the mount, a session is requested without one.
    """
    saved = context.open_saved(blob)
    try:
        upload = _opened(context, blob, saved, mount_from)
    except BaseException:
        if saved is not None:
            saved.release()
        raise
    if upload is None and saved is not None:
        saved.forget()
        saved.release()
    return upload


def _opened(
    context: UploadContext, blob: Descriptor, saved: SavedUpload | None, mount_from: str | None
) -> BlobUpload | None:
    client = context.client
    own = mount_from == client.repository
    if saved is not None and saved.place is not None and own:
        if has_blob(client, blob):
            return None
        upload = _continued(context, blob, saved, saved.place)
        if upload is not None:
            return upload
        saved.forget()
    if mount_from is not None:
        answer = _ask_mount(client, blob, mount_from)
        mounted = answer is not None and answer.status == HTTPStatus.CREATED
        # Some registries answer 201 to a mount from the same repository without having the blob.
        if mounted and (mount_from != client.repository or has_blob(client, blob)):
            return None
        placed = answer is not None and answer.headers.get("location", "").strip()
        if answer is not None and answer.status == HTTPStatus.ACCEPTED and placed:
            return _started(context, blob, saved, answer)
    answer = client.retry_once_if_forbidden("POST", _UPLOADS)
    if answer.status == HTTPStatus.ACCEPTED:
        return _started(context, blob, saved, answer)
    if not answer.ok:
        raise error_of(answer)
    if has_blob(client, blob):
        return None
    raise RegistryError(
        f"the registry answered {answer.status} to the start of an upload, not 202",
        method="POST",
        status=answer.status,
    )


def _continued(
    context: UploadContext, blob: Descriptor, saved: SavedUpload, place: str
) -> BlobUpload | None:
    """Return the upload of an earlier run; None if its session is gone or its state is wrong."""
    client = context.client
    if not place.startswith(f"{client.repository}/{_UPLOADS}"):
        return None
    try:
        answer = client.session.ask(Request("GET", place, client.scopes))
    except RegimportError:
        return None
    kept = kept_bytes(answer)
    if not kept or not saved.offset <= kept <= blob.size:
        return None
    location = answer.headers.get("location", "")
    url = upload_location(answer.url, location) if location else answer.url
    return BlobUpload(client, blob, context.chunking, url, saved=saved, offset=kept)


def _ask_mount(client: RepositoryClient, blob: Descriptor, mount_from: str) -> Answer | None:
    """Request a mount, which needs the right to pull from there; None if it is refused."""
    own = mount_from == client.repository
    more = () if own else (f"repository:{mount_from}:pull",)
    wider = replace(client, scopes=(*client.scopes, *more))
    query = urlencode({"mount": blob.digest, "from": mount_from})
    try:
        return wider.ask("POST", f"{_UPLOADS}?{query}")
    except (RateLimited, Interrupted):
        raise
    except RegimportError:
        return None


def _started(
    context: UploadContext, blob: Descriptor, saved: SavedUpload | None, answer: Answer
) -> BlobUpload:
    location = upload_location(answer.url, answer.headers.get("location", ""))
    said = answer.headers.get("oci-chunk-min-length", "")
    least = int(said) if re.fullmatch(r"[0-9]{1,15}", said) else 0
    return BlobUpload(context.client, blob, context.chunking, location, least=least, saved=saved)
