"""An archive as the target of a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path

from regimport.archive.contents import Stacked, Tar, TarContents
from regimport.archive.draft import Draft
from regimport.archive.loadable import list_loadable
from regimport.archive.opened import explained
from regimport.archive.output import FileOutput, Output, StandardOutput
from regimport.errors import ContentMismatch, Interrupted, InvalidManifest, UsageError
from regimport.layout.files import LAYOUT_CONTENT, LAYOUT_FILE, blob_parts
from regimport.layout.index import IMAGE_NAME, REF_NAME, Index
from regimport.layout.reader import Contents, ImageReader, load_manifest
from regimport.layout.writer import named_below
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest, Verifier
from regimport.models.manifest import Manifest
from regimport.models.on_disk import ArchiveReference
from regimport.models.reference import image_named
from regimport.models.tag import is_tag

__all__ = ["Archive", "ArchiveUpload"]

Stopped = Callable[[], bool]


class Archive(ImageReader):
    """An OCI archive, for writing and reading, by the threads of one copy after another.

    A file that does not exist, or is empty, counts as an empty archive. At its name nothing changes
    before `commit`: then the new images are there, and those that were there before, except where
    their names have moved. `repository` is where the images come from; it makes a tag a full name.
    """

    def __init__(self, place: ArchiveReference, repository: str | None, stopped: Stopped) -> None:
        self._place = place
        self._repository = repository
        self._stopped = stopped
        self._output: Output = (
            StandardOutput(place.name, stopped)
            if place.is_stream
            else FileOutput(place.path, place.name)
        )
        self._output.check()
        self._puts: list[tuple[Manifest, str]] = []
        self._ended = False
        self._children: dict[Digest, tuple[Descriptor, ...]] = {}
        # The old blobs whose bytes were hashed, each written with a single call.
        self._hashed: set[Digest] = set()
        # Whether blobs are new, maybe those of an image that was there already.
        self._mended = False
        self._draft = Draft(self._output, place.name)
        self._old = self._existing()
        super().__init__(Stacked(TarContents(self._draft), _contents(self._old)))

    def head_manifest(self, reference: str) -> Descriptor | None:
        """Return what a name or a digest points to; None if it is not there, or has other bytes."""
        try:
            return super().head_manifest(reference)
        except ContentMismatch:
            return None

    def has_blob(self, blob: Descriptor) -> bool:
        """Return whether a blob is there, which is hashed: its name alone proves nothing."""
        if not super().has_blob(blob):
            return False
        if blob.digest not in self._hashed:
            with self.read_blob(blob) as pieces:
                hasher = blob.digest.hasher()
                for piece in pieces:
                    if self._stopped():
                        raise Interrupted
                    hasher.update(piece)
            if hasher.hexdigest() != blob.digest.encoded:
                return False
            self._hashed.add(blob.digest)
        return True

    def find_tag(self, tag: str) -> Descriptor | None:
        """Return what a name points to; None if it does not exist."""
        return super().head_manifest(tag)

    def points_to(self, manifest: Manifest, reference: str) -> bool:
        """Return whether a name or a digest points to this manifest."""
        if (manifest, reference) in self._puts:
            return True
        found = self.head_manifest(reference)
        return found is not None and found.digest == manifest.digest

    def start_upload(
        self, blob: Descriptor, *, mount_from: str | None = None, anew: bool = False
    ) -> ArchiveUpload | None:
        """Start to store a blob; None if it exists already. An archive mounts nothing."""
        del mount_from
        if not anew and self.has_blob(blob):
            return None
        self._mended = True
        return ArchiveUpload(self._draft, blob, self._stopped)

    def put_manifest(self, manifest: Manifest, reference: str) -> bool:
        """Store a manifest, byte for byte; it is listed, as in a layout, from the commit on.

        Return True: an archive lists what it has.
        """
        if self._ended:
            raise UsageError(
                f"{self.name} has got its image, and takes no other",
                hint="write several images to a file: oci-archive:FILE",
            ).located(None, self.name)
        self._check()
        parts, size = blob_parts(manifest.digest), len(manifest.raw)
        if self._contents.read(*parts, limit=size) != manifest.raw:
            self._draft.write("/".join(parts), size, iter([manifest.raw]))
        self._puts.append((manifest, reference))
        return True

    def commit(self) -> None:
        """Put the archive in place, with what others have added to it meanwhile."""
        if not (self._puts or self._mended):
            return
        with self._output.locked():
            current = self._existing()
            with nullcontext() if current is None else closing(current):
                contents = Stacked(
                    TarContents(self._draft), _contents(current), _contents(self._old)
                )
                index = self._listed(contents)
                for digest in _reachable(contents, index):
                    self._keep(contents, digest)
                self._end(contents, index)
        self._puts.clear()
        self._mended = False
        self._ended = self._place.is_stream
        if not self._ended:
            self.close()
            self._draft, self._old = Draft(self._output, self.name), self._existing()
            self._contents = Stacked(TarContents(self._draft), _contents(self._old))

    def close(self) -> None:
        """Close the files; without a commit, nothing of what was put is kept."""
        self._draft.close()
        if self._old is not None:
            self._old.close()

    def _existing(self) -> Tar | None:
        """Return the archive that is there now; None if there is none, or an empty file."""
        if self._place.is_stream:
            return None
        with explained(self._place.name):
            path = Path(self._place.path)
            if not path.exists() or path.stat().st_size == 0:
                return None
        return Tar(self._place.name, self._place.path, self._stopped)

    def _listed(self, contents: Contents) -> Index:
        """Return the index of the archive that is there now, with what was put."""
        index = ImageReader(contents).index()
        for manifest, reference in self._puts:
            if reference == manifest.digest:
                below = named_below(contents, index.entries, self._children)
                index = index.listing(manifest, {}, below)
            else:
                index = index.listing(manifest, self._annotations(reference), set())
        return index

    def _annotations(self, name: str) -> dict[str, str]:
        """Return the annotations for a name: `docker load` and containerd take the full one."""
        image = image_named(name)
        if image is None and self._repository is not None and is_tag(name):
            image = image_named(f"{self._repository}:{name}")
        return {REF_NAME: name} | ({} if image is None else {IMAGE_NAME: str(image)})

    def _keep(self, contents: Contents, digest: Digest) -> None:
        """Copy a blob or a manifest of the old archive, unless it is new or missing there."""
        parts = blob_parts(digest)
        path = "/".join(parts)
        if self._draft.find(path) is not None:
            return
        with contents.stream(*parts) as found:
            if found is not None:
                size, pieces = found
                checked = _checked(pieces, Verifier(digest, size), self._stopped)
                self._draft.write(path, size, checked)

    def _end(self, contents: Contents, index: Index) -> None:
        """Write the files beside the blobs, and put the archive in place."""
        files = {LAYOUT_FILE: LAYOUT_CONTENT, "index.json": index.render()}
        loadable = list_loadable(contents, index)
        if loadable is not None:
            files["manifest.json"] = loadable
        for name, content in files.items():
            self._draft.write(name, len(content), iter([content]))
        self._draft.place()


class ArchiveUpload:
    """An upload into an archive; if it is interrupted, it starts again."""

    offset = 0

    def __init__(self, draft: Draft, blob: Descriptor, stopped: Stopped) -> None:
        self._draft = draft
        self._blob = blob
        self._stopped = stopped

    def send(self, content: Iterator[bytes]) -> None:
        """Store the blob, or raise `ContentMismatch` if `content` does not hash to its digest.

        Errors from `content` pass through, and then the blob is not in the archive.
        """
        blob = self._blob
        checked = _checked(content, Verifier(blob.digest, blob.size), self._stopped)
        self._draft.write("/".join(blob_parts(blob.digest)), blob.size, checked)

    def recover(self) -> bool:
        """Return False: no part of the blob is kept."""
        return False

    def leave(self) -> None:
        """Do nothing, as `cancel`."""

    def cancel(self) -> None:
        """Do nothing: what was not sent whole is not in the archive."""


class _OldContents(TarContents):
    """The files of the archive that something is added to."""

    def check(self) -> None:
        """Raise `UsageError` if it is not an archive that can be added to."""
        reason = None
        if self._tar.find("index.json") is None:
            reason = "it is not an OCI archive"
        elif isinstance(self._tar, Tar) and self._tar.is_copy:
            reason = "it is compressed"
        if reason is not None:
            raise UsageError(
                f"{self.name} exists, and cannot be added to: {reason}",
                hint="nothing was written; remove it, or choose another name",
            ).located(None, self.name)


def _contents(tar: Tar | None) -> TarContents | None:
    return None if tar is None else _OldContents(tar)


def _checked(pieces: Iterator[bytes], verifier: Verifier, stopped: Stopped) -> Iterator[bytes]:
    """Yield the pieces, and raise `ContentMismatch` before one too many, and at the end."""
    for piece in pieces:
        if stopped():
            raise Interrupted
        verifier.update(piece)
        yield piece
    verifier.check()


def _reachable(contents: Contents, index: Index) -> Iterator[Digest]:
    """Yield the digests of all manifests and blobs that the images of an index consist of."""
    seen: set[Digest] = set()
    waiting = [entry.digest for entry in index.entries]
    while waiting:
        digest = waiting.pop()
        if digest in seen:
            continue
        seen.add(digest)
        yield digest
        try:
            manifest = load_manifest(contents, digest)
        except InvalidManifest:
            # A layout may list anything.
            continue
        if manifest is not None:
            waiting += [child.digest for child in manifest.manifests]
            blobs = {blob.digest for blob in manifest.blobs()} - seen
            seen |= blobs
            yield from blobs
