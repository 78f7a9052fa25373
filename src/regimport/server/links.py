"""Which repository has which blobs and manifests: small files next to the layout.

    repositories/<repository>/_blobs/<algorithm>/<hex>       empty
    repositories/<repository>/_manifests/<algorithm>/<hex>   its media type
    repositories/<repository>/_referrers/<algorithm>/<hex of the subject>/<algorithm>-<hex>

No part of a repository's name begins with an underscore, so the folders cannot collide.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from regimport.layout.files import explained
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest

__all__ = ["Links"]


class Links:
    """The content of repositories: links on disk, and content found in a layout made elsewhere.

    Found content is recorded in memory only, so that serving a layout does not change it. At the
    first deletion from a repository it is written to disk: deleted content must not be found again.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._found_blobs: dict[str, set[Digest]] = {}
        self._found_manifests: dict[str, dict[Digest, Manifest]] = {}

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Return whether a repository has a blob."""
        if digest in self._found_blobs.get(repository, ()):
            return True
        return self._path(repository, "_blobs", digest).is_file()

    def media_type(self, repository: str, digest: Digest) -> str | None:
        """Return the media type of a manifest of a repository; None if it does not have it."""
        found = self._found_manifests.get(repository, {}).get(digest)
        if found is not None:
            return found.media_type
        try:
            # Empty if the server was killed while it wrote: then the manifest was never stored.
            return self._path(repository, "_manifests", digest).read_text() or None
        except OSError:
            return None

    def referrers(self, repository: str, subject: Digest) -> set[Digest]:
        """Return the digests of the manifests of a repository whose subject is `subject`."""
        found = self._found_manifests.get(repository, {}).values()
        digests = {manifest.digest for manifest in found if _refers(manifest, subject)}
        with suppress(FileNotFoundError):
            links = self._path(repository, "_referrers", subject).iterdir()
            digests.update(Digest(link.name.replace("-", ":")) for link in links)
        return digests

    def find(self, repository: str, manifest: Manifest) -> None:
        """Record a manifest, and its blobs, that a layout made elsewhere contains."""
        self._found_manifests.setdefault(repository, {})[manifest.digest] = manifest
        blobs = self._found_blobs.setdefault(repository, set())
        blobs.update(blob.digest for blob in manifest.blobs())

    def add_blob(self, repository: str, digest: Digest) -> None:
        """Add a blob to a repository."""
        self._write(self._path(repository, "_blobs", digest), "")

    def add_manifest(self, repository: str, manifest: Manifest) -> None:
        """Add a manifest to a repository, also as a referrer of its subject."""
        if manifest.subject is not None:
            self._write(self._referrer(repository, manifest.subject.digest, manifest.digest), "")
        path = self._path(repository, "_manifests", manifest.digest)
        # Not written again if unchanged: readers would see it empty for a moment.
        if not path.is_file() or path.read_text() != manifest.media_type:
            self._write(path, manifest.media_type)

    def remove_blob(self, repository: str, digest: Digest) -> None:
        """Remove a blob from a repository."""
        self._settle(repository)
        self._remove(self._path(repository, "_blobs", digest))

    def remove_manifest(self, repository: str, manifest: Manifest) -> None:
        """Remove a manifest from a repository."""
        self._settle(repository)
        self._remove(self._path(repository, "_manifests", manifest.digest))
        if manifest.subject is not None:
            self._remove(self._referrer(repository, manifest.subject.digest, manifest.digest))

    def repositories(self) -> set[str]:
        """Return the repositories that have any content."""
        return {*self._found_blobs, *self._found_manifests, *self._folders()}

    def holds(self, repository: str) -> bool:
        """Return whether a repository has content, or had some."""
        known = repository in self._found_blobs or repository in self._found_manifests
        folder = self._root / "repositories" / repository
        return known or (folder / "_blobs").is_dir() or (folder / "_manifests").is_dir()

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

    def _folders(self) -> Iterator[str]:
        top = self._root / "repositories"
        for folder, inner, _ in os.walk(top):
            if "_blobs" in inner or "_manifests" in inner:
                yield Path(folder).relative_to(top).as_posix()
            inner[:] = [name for name in inner if not name.startswith("_")]

    def _path(self, repository: str, kind: str, digest: Digest) -> Path:
        return self._root / "repositories" / repository / kind / digest.algorithm / digest.encoded

    def _referrer(self, repository: str, subject: Digest, digest: Digest) -> Path:
        return self._path(repository, "_referrers", subject) / digest.replace(":", "-")

    def _write(self, path: Path, content: str) -> None:
        with explained(self._root):
            try:
                path.write_text(content)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)

    def _remove(self, path: Path) -> None:
        with explained(self._root):
            path.unlink(missing_ok=True)


def _refers(manifest: Manifest, subject: Digest) -> bool:
    return manifest.subject is not None and manifest.subject.digest == subject
