"""Which repository has which blobs and manifests: small files next to the layout.

    repositories/<repository>/_blobs/<algorithm>/<hex>       empty
    repositories/<repository>/_manifests/<algorithm>/<hex>   its media type
    repositories/<repository>/_referrers/<algorithm>/<hex of the subject>/<algorithm>-<hex>

No part of a repository's name begins with an underscore, so the folders cannot collide.
"""

from __future__ import annotations

from collections.abc import Iterator

from regimport.errors import InvalidReference
from regimport.layout.folder import Folder
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.mediatype import MAX_MEDIA_TYPE, is_media_type
from regimport.models.reference import is_repository

__all__ = ["Links"]

_TOP = "repositories"
_KINDS = frozenset({"_blobs", "_manifests"})


class Links:
    """The content of repositories: links on disk, and content found in a layout made elsewhere.

    Found content is recorded in memory only, so that serving a layout does not change it. At the
    first deletion from a repository it is written to disk: deleted content must not be found again.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._found_blobs: dict[str, set[Digest]] = {}
        self._found_manifests: dict[str, dict[Digest, Manifest]] = {}

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Return whether a repository has a blob."""
        if digest in self._found_blobs.get(repository, ()):
            return True
        return self._folder.status(*_parts(repository, "_blobs", digest)) is not None

    def media_type(self, repository: str, digest: Digest) -> str | None:
        """Return the media type of a manifest of a repository; None if it does not have it."""
        found = self._found_manifests.get(repository, {}).get(digest)
        if found is not None:
            return found.media_type
        return self._linked_type(repository, digest)

    def referrers(self, repository: str, subject: Digest) -> set[Digest]:
        """Return the digests of the manifests of a repository whose subject is `subject`."""
        found = self._found_manifests.get(repository, {}).values()
        digests = {manifest.digest for manifest in found if _refers(manifest, subject)}
        for name in self._folder.files_in(*_parts(repository, "_referrers", subject)):
            try:
                digests.add(Digest(name.replace("-", ":")))
            except InvalidReference:
                continue  # not a link of ours
        return digests

    def find(self, repository: str, manifest: Manifest) -> None:
        """Record a manifest, and its blobs, that a layout made elsewhere contains."""
        self._found_manifests.setdefault(repository, {})[manifest.digest] = manifest
        blobs = self._found_blobs.setdefault(repository, set())
        blobs.update(blob.digest for blob in manifest.blobs())

    def add_blob(self, repository: str, digest: Digest) -> None:
        """Add a blob to a repository."""
        self._folder.mark(*_parts(repository, "_blobs", digest))

    def add_manifest(self, repository: str, manifest: Manifest) -> None:
        """Add a manifest to a repository, also as a referrer of its subject."""
        if manifest.subject is not None:
            self._folder.mark(*_referrer(repository, manifest.subject.digest, manifest.digest))
        if self._linked_type(repository, manifest.digest) != manifest.media_type:
            parts = _parts(repository, "_manifests", manifest.digest)
            self._folder.write(manifest.media_type.encode(), *parts)

    def remove_blob(self, repository: str, digest: Digest) -> None:
        """Remove a blob from a repository."""
        self._settle(repository)
        self._folder.remove(*_parts(repository, "_blobs", digest))

    def remove_manifest(self, repository: str, manifest: Manifest) -> None:
        """Remove a manifest from a repository."""
        self._settle(repository)
        self._folder.remove(*_parts(repository, "_manifests", manifest.digest))
        if manifest.subject is not None:
            self._folder.remove(*_referrer(repository, manifest.subject.digest, manifest.digest))

    def repositories(self) -> set[str]:
        """Return the repositories that have any content."""
        return {*self._found_blobs, *self._found_manifests, *self._folders()}

    def holds(self, repository: str) -> bool:
        """Return whether a repository has content, or had some."""
        known = repository in self._found_blobs or repository in self._found_manifests
        parts = _folder(repository)
        return known or any(self._folder.has_folder(*parts, kind) for kind in _KINDS)

    def anywhere(self, digest: Digest) -> bool:
        """Return whether any repository has `digest`, as a blob or as a manifest."""
        return any(
            self.has_blob(repository, digest) or self.media_type(repository, digest) is not None
            for repository in self.repositories()
        )

    def _settle(self, repository: str) -> None:
        """Write the recorded content of a repository to disk."""
        for digest in self._found_blobs.pop(repository, ()):
            self.add_blob(repository, digest)
        for manifest in self._found_manifests.pop(repository, {}).values():
            self.add_manifest(repository, manifest)

    def _linked_type(self, repository: str, digest: Digest) -> str | None:
        """Return the media type that a link has; None if there is none, or no media type in it."""
        parts = _parts(repository, "_manifests", digest)
        content = self._folder.read(*parts, limit=MAX_MEDIA_TYPE)
        text = (content or b"").decode("ascii", "replace")
        return text if is_media_type(text) else None

    def _folders(self) -> Iterator[str]:
        """Yield the repositories that have a folder for links."""
        waiting = [""]
        while waiting:
            above = waiting.pop()
            for name in self._folder.folders_in(*_folder(above)):
                inner = f"{above}/{name}" if above else name
                if name in _KINDS:
                    yield above
                elif is_repository(inner):
                    waiting.append(inner)


def _folder(repository: str) -> tuple[str, ...]:
    return (_TOP, *repository.split("/")) if repository else (_TOP,)


def _parts(repository: str, kind: str, digest: Digest) -> tuple[str, ...]:
    return (*_folder(repository), kind, digest.algorithm, digest.encoded)


def _referrer(repository: str, subject: Digest, digest: Digest) -> tuple[str, ...]:
    return (*_parts(repository, "_referrers", subject), digest.replace(":", "-"))


def _refers(manifest: Manifest, subject: Digest) -> bool:
    return manifest.subject is not None and manifest.subject.digest == subject
