"""A repository at a registry: a source and a target of a copy."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from regimport.errors import NotFound, Side
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.registry import blobs, manifests, tags
from regimport.registry.repository_client import RepositoryClient
from regimport.registry.session import Session

if TYPE_CHECKING:
    from regimport.registry.upload_session import BlobUpload, UploadStore
    from regimport.registry.uploads import UploadContext

__all__ = ["Repository"]


class Repository:
    """One repository of a registry.

    Its errors name the repository. At the target, every request asks for the right to push, so
    that no upload waits for a second token, unless `only_read`. `pulls` is how many manifests were
    read. `create` creates the repository, at
    registries where a push does not. `open_store` returns the store of unfinished uploads.
    """

    def __init__(
        self,
        session: Session,
        repository: str,
        create: Callable[[], object] | None = None,
        open_store: Callable[[], UploadStore] | None = None,
        *,
        only_read: bool = False,
    ) -> None:
        actions = "pull" if only_read or session.side is Side.SOURCE else "pull,push"
        self._client = RepositoryClient(
            session, repository, (f"repository:{repository}:{actions}",)
        )
        self._open_store = open_store
        self._preparing = threading.Lock()
        self._uploads: UploadContext | None = None
        self._create = create
        self._read = itertools.count()
        self.pulls = 0
        self._only_read = actions == "pull"

    def __repr__(self) -> str:
        return f"<Repository {self.name} as {self._client.session.side}>"

    @property
    def name(self) -> str:
        """`registry/repository`."""
        return self._client.name

    def head_manifest(self, reference: str) -> Descriptor | None:
        """Return what a tag or a digest points to; None if it does not exist.

        A repository that is written to is taken not to have what it does not tell of: writing it
        will tell.
        """
        head = manifests.find_manifest if self._only_read else manifests.head_manifest
        with self._client.located():
            return head(self._client, reference)

    def find_tag(self, tag: str) -> Descriptor | None:
        """Return what a tag points to; None only where the registry says that it does not exist."""
        with self._client.located():
            return manifests.find_tag(self._client, tag)

    def find_manifest(self, reference: str) -> Descriptor | None:
        """Return what a tag or a digest points to; None only where it is certainly absent."""
        with self._client.located():
            return manifests.find_manifest(self._client, reference)

    def delete_manifest(self, reference: str) -> None:
        """Delete a tag, or a manifest by digest with all its tags."""
        with self._client.located():
            manifests.delete_manifest(self._client, reference)

    def get_manifest(self, reference: str) -> Manifest:
        """Return a manifest; one that is requested by digest is checked."""
        with self._client.located():
            manifest = manifests.get_manifest(self._client, reference)
        self.pulls = next(self._read) + 1
        return manifest

    def put_manifest(self, manifest: Manifest, reference: str) -> bool:
        """Store a manifest, byte for byte; return whether the registry lists it for its subject."""
        with self._client.located():
            return manifests.put_manifest(self._client, manifest, reference)

    def commit(self) -> None:
        """Do nothing: each manifest is visible when it is put."""

    def points_to(self, manifest: Manifest, reference: str) -> bool | None:
        """Return whether a tag or a digest points to this manifest; None if it does not say."""
        with self._client.located():
            return manifests.points_to(self._client, manifest, reference)

    def has_blob(self, blob: Descriptor) -> bool:
        """Return whether the repository has a blob, completely."""
        with self._client.located():
            return blobs.has_blob(self._client, blob)

    def blob_size(self, digest: Digest) -> int | None:
        """Return how many bytes a blob has; None if the registry does not say."""
        with self._client.located():
            return blobs.blob_size(self._client, digest)

    @contextmanager
    def read_blob(self, blob: Descriptor, start: int = 0) -> Iterator[Iterator[bytes]]:
        """Open a blob; the iterator yields its bytes from `start` on, unchecked."""
        with self._client.located(), blobs.read_blob(self._client, blob, start) as pieces:
            yield pieces

    def start_upload(
        self, blob: Descriptor, *, mount_from: str | None = None, anew: bool = False
    ) -> BlobUpload | None:
        """Start to store a blob; None if the repository has it now, so nothing need be sent.

        Without another repository to mount from, a mount from this one checks whether the blob
        exists, and starts the upload if not, in one request. `anew` skips that.
        """
        from regimport.registry.uploads import start_upload  # noqa: PLC0415 - where a blob is sent

        origin = None if anew else mount_from or self._client.repository
        with self._client.located():
            try:
                return start_upload(self._upload_context(), blob, origin)
            except NotFound:
                if self._create is None:
                    raise
                # Several threads may get here; creating it twice does no harm.
                self._create()
                return start_upload(self._upload_context(), blob, origin)

    def tag_pages(self) -> Iterator[list[str]]:
        """Yield the tags, page by page."""
        with self._client.located():
            yield from tags.tag_pages(self._client)

    def referrers(
        self, subject: Digest, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...] | None:
        """Return what refers to a manifest; None if the registry has no API for that."""
        # Imported where they are asked for: an image that is there already is not.
        from regimport.registry.referrers import list_referrers  # noqa: PLC0415

        with self._client.located():
            return list_referrers(self._client, subject, artifact_type)

    def peek_referrers(self, subject: Digest) -> list[str]:
        """Return in words what is known to belong to a manifest; never raises."""
        from regimport.registry.referrers import peek  # noqa: PLC0415 - as above

        return peek(self._client, subject)

    def _upload_context(self) -> UploadContext:
        with self._preparing:
            if self._uploads is None:
                # Imported where a blob is sent.
                from regimport.registry.chunks import Chunking  # noqa: PLC0415
                from regimport.registry.uploads import UploadContext  # noqa: PLC0415

                chunking = Chunking(self._client.session.registry)
                self._uploads = UploadContext(self._client, chunking, self._open_store)
            return self._uploads
