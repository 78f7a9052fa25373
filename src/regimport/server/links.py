"""Which repository holds which blobs and manifests: small files beside the layout.

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
    """What repositories hold: what the files say, and what was found in a layout made elsewhere.

    The found is kept in memory only, so that serving a layout does not change it, until the first
    deletion from its repository: what was deleted must not be found again.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._found_blobs: dict[str, set[Digest]] = {}
        self._found_manifests: dict[str, dict[Digest, Manifest]] = {}

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Tell whether a repository holds a blob."""
        if digest in self._found_blobs.get(repository, ()):
            return True
        return self._path(repository, "_blobs", digest).is_file()

    def media_type(self, repository: str, digest: Digest) -> str | None:
        """Give the media type of a manifest that a repository holds; None if it does not."""
        found = self._found_manifests.get(repository, {}).get(digest)
        if found is not None:
            return found.media_type
        try:
            # Empty where a server was killed while it wrote: then the manifest was never there.
            return self._path(repository, "_manifests", digest).read_text() or None
        except OSError:
            return None

    def referrers(self, repository: str, subject: Digest) -> set[Digest]:
        """Give the manifests of a repository that have `subject` as their subject."""
        found = self._found_manifests.get(repository, {}).values()
        digests = {manifest.digest for manifest in found if _refers(manifest, subject)}
        with suppress(FileNotFoundError):
            links = self._path(repository, "_referrers", subject).iterdir()
            digests.update(Digest(link.name.replace("-", ":")) for link in links)
        return digests

    def find(self, repository: str, manifest: Manifest) -> None:
        """Take note of a manifest, and its blobs, that a layout made elsewhere holds."""
        self._found_manifests.setdefault(repository, {})[manifest.digest] = manifest
        blobs = self._found_blobs.setdefault(repository, set())
        blobs.update(blob.digest for blob in manifest.blobs())

    def add_blob(self, repository: str, digest: Digest) -> None:
        """Let a repository hold a blob."""
        self._write(self._path(repository, "_blobs", digest), "")

    def add_manifest(self, repository: str, manifest: Manifest) -> None:
        """Let a repository hold a manifest, and know it as a referrer of its subject."""
        if manifest.subject is not None:
            self._write(self._referrer(repository, manifest.subject.digest, manifest.digest), "")
        path = self._path(repository, "_manifests", manifest.digest)
        # Not written again if it is the same: readers would see it empty for a moment.
        if not path.is_file() or path.read_text() != manifest.media_type:
            self._write(path, manifest.media_type)

    def remove_blob(self, repository: str, digest: Digest) -> None:
        """Take a blob from a repository."""
        self._settle(repository)
        self._remove(self._path(repository, "_blobs", digest))

    def remove_manifest(self, repository: str, manifest: Manifest) -> None:
        """Take a manifest from a repository."""
        self._settle(repository)
        self._remove(self._path(repository, "_manifests", manifest.digest))
        if manifest.subject is not None:
            self._remove(self._referrer(repository, manifest.subject.digest, manifest.digest))

    def repositories(self) -> set[str]:
        """List the repositories that hold anything."""
        return {*self._found_blobs, *self._found_manifests, *self._folders()}

    def holds(self, repository: str) -> bool:
        """Tell whether a repository holds anything, or did."""
        known = repository in self._found_blobs or repository in self._found_manifests
        folder = self._root / "repositories" / repository
        return known or (folder / "_blobs").is_dir() or (folder / "_manifests").is_dir()

    def anywhere(self, digest: Digest) -> bool:
        """Tell whether any repository holds `digest`, as a blob or as a manifest."""
        return any(
            self.has_blob(repository, digest) or self.media_type(repository, digest) is not None
            for repository in self.repositories()
        )

    def _settle(self, repository: str) -> None:
        """Write down what was found for a repository."""
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
