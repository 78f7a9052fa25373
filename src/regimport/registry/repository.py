"""A repository at a registry: a source and a target of a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from regimport.errors import NotFound, Side
from regimport.models.descriptor import Descriptor
from regimport.models.manifest import Manifest
from regimport.registry import blobs, manifests, tags, uploads
from regimport.registry.access import Access
from regimport.registry.chunks import Chunking
from regimport.registry.session import Session
from regimport.registry.upload_session import BlobUpload, UploadStore

__all__ = ["Repository"]


class Repository:
    """One repository, seen through the session of its registry.

    Errors that pass through are told where they happened. A repository that is a target asks for
    the right to push from the start, so that no upload is held up by a second token, unless it is
    `only_read`. `create` makes the repository if the registry says that there is none, where it
    has to be made first. `ledger` gives the record of the large uploads that earlier runs have
    begun.
    """

    def __init__(
        self,
        session: Session,
        repository: str,
        create: Callable[[], object] | None = None,
        ledger: Callable[[], UploadStore] | None = None,
        *,
        only_read: bool = False,
    ) -> None:
        actions = "pull" if only_read or session.side is Side.SOURCE else "pull,push"
        self._access = Access(session, repository, (f"repository:{repository}:{actions}",))
        self._desk = uploads.UploadContext(self._access, Chunking(session.registry), ledger)
        self._create = create

    def __repr__(self) -> str:
        return f"<Repository {self.name} as {self._access.session.side}>"

    @property
    def name(self) -> str:
        """`registry/repository`."""
        return self._access.name

    def head_manifest(self, reference: str) -> Descriptor | None:
        """Ask what a tag or a digest points to; None if nothing."""
        with self._access.located():
            return manifests.head_manifest(self._access, reference)

    def get_manifest(self, reference: str) -> Manifest:
        """Read a manifest; asked for by digest, its bytes are checked against it."""
        with self._access.located():
            return manifests.get_manifest(self._access, reference)

    def put_manifest(self, manifest: Manifest, reference: str) -> None:
        """Store a manifest, byte for byte, under a tag or its digest."""
        with self._access.located():
            manifests.put_manifest(self._access, manifest, reference)

    def points_to(self, manifest: Manifest, reference: str) -> bool:
        """Ask whether a tag or a digest points to this manifest.

        True also where the registry does not say.
        """
        with self._access.located():
            return manifests.points_to(self._access, manifest, reference)

    def has_blob(self, blob: Descriptor) -> bool:
        """Ask whether a blob is there, whole."""
        with self._access.located():
            return blobs.has_blob(self._access, blob)

    @contextmanager
    def read_blob(self, blob: Descriptor, start: int = 0) -> Iterator[Iterator[bytes]]:
        """Open a blob; the iterator gives its bytes from `start` on in order, unchecked."""
        with self._access.located(), blobs.read_blob(self._access, blob, start) as pieces:
            yield pieces

    def start_upload(
        self, blob: Descriptor, *, mount_from: str | None = None, anew: bool = False
    ) -> BlobUpload | None:
        """Get ready to store a blob; None: it is there now, and nothing is to be sent.

        Where there is no other repository to mount from, a mount from this one asks whether the
        blob is there, and opens the upload if not, in one request.
        """
        origin = None if anew else mount_from or self._access.repository
        with self._access.located():
            try:
                return uploads.start_upload(self._desk, blob, origin)
            except NotFound:
                if self._create is None:
                    raise
                # Several threads may come here: who is second finds it made.
                self._create()
                return uploads.start_upload(self._desk, blob, origin)

    def tag_pages(self) -> Iterator[list[str]]:
        """Yield the tags, page by page."""
        with self._access.located():
            yield from tags.tag_pages(self._access)
