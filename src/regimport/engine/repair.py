"""Repairs what a target has of an image: what to look at, and whether it is whole afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from regimport.engine.blob import BlobMover
from regimport.engine.ends import Target
from regimport.engine.publish import Publisher
from regimport.engine.target import Status, TargetCopy
from regimport.errors import ContentMismatch, InvalidManifest, NotFound, RegimportError, Side
from regimport.models.descriptor import Descriptor
from regimport.models.manifest import Manifest

__all__ = ["check_manifest", "make_whole", "to_examine"]

_HINT = (
    "some registries keep the bytes that they have under a digest, even wrong ones: delete the "
    "image there, run the registry's garbage collection, and copy it again"
)


def to_examine(copies: Sequence[TargetCopy]) -> tuple[list[TargetCopy], list[TargetCopy]]:
    """Return the copies that need nothing any more, and those whose targets are to be examined.

    The latter are one for each repository. The tags there that point to the image already share
    one, unless another tag is to be set: its copy looks at the same content.
    """
    pending = [replace(copy, examined=True) for copy in copies if copy.pending]
    named = {copy.name for copy in pending}
    settled: list[TargetCopy] = []
    present: dict[str, TargetCopy] = {}
    for copy in copies:
        if copy.pending:
            continue
        if copy.status is not Status.PRESENT or copy.name in named:
            settled.append(copy)
            continue
        first = present.get(copy.name)
        references = copy.references if first is None else first.references + copy.references
        present[copy.name] = replace(first or copy, references=references, examined=True)
    return settled, pending + list(present.values())


def make_whole(mover: BlobMover, end: Target, blob: Descriptor) -> int:
    """Send a blob that has arrived, but is not whole; return the bytes read from the source.

    A mount may bring along what is wrong elsewhere. Raise `ContentMismatch` if the target does not
    show it whole even then.
    """
    if end.has_blob(blob):
        return 0
    moved = mover.move(blob, [end], force=True)
    for outcome in moved.outcomes:
        if isinstance(outcome.error, RegimportError):
            raise outcome.error
    if not end.has_blob(blob):
        raise _not_repaired(f"blob {blob.digest}", end)
    return moved.bytes_read


def check_manifest(end: Target, manifest: Manifest, publisher: Publisher) -> None:
    """Raise `ContentMismatch` unless the target shows a manifest that was put, byte for byte."""
    try:
        try:
            end.get_manifest(manifest.digest)
        except NotFound:
            # It may take a while to become visible.
            publisher.confirm(end, manifest, manifest.digest)
            end.get_manifest(manifest.digest)
    except (ContentMismatch, InvalidManifest, NotFound) as error:
        raise _not_repaired(f"manifest {manifest.digest}", end) from error


def _not_repaired(what: str, end: Target) -> ContentMismatch:
    return ContentMismatch(
        f"{end.name} has taken {what}, but still does not show it whole", hint=_HINT
    ).located(Side.TARGET, end.name)
