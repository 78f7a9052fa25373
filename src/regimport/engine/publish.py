"""Puts manifests into a target, with what is missing under them, and confirms the tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from regimport.engine.blob import BlobMover
from regimport.engine.ends import Target
from regimport.errors import ContentMismatch, RegimportError, RegistryError, Side
from regimport.events import Warned
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.mediatype import is_foreign_layer
from regimport.values import dataclass

__all__ = ["Publisher"]

# How a registry says that something under a manifest is not there (OCI distribution
# specification, "Error codes"; the last one is said of an index's manifests).
_LACKING = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"})
# The status of a manifest that a registry does not take (HTTP 400).
_REFUSED = 400
_PUTS = 3
# How long to wait, in seconds, before each further look at a tag that does not show what was put:
# replicas, and caches that keep an earlier answer, take a while.
_PAUSES = (0.5, 1.0, 1.5, 3.0, 4.0)


@dataclass(frozen=True, slots=True)
class Publisher:
    """Puts manifests; `content` are those that were read, `read` counts bytes of the source."""

    mover: BlobMover
    content: Mapping[Digest, Manifest]
    read: Callable[[int], None]

    def put(self, end: Target, manifest: Manifest, reference: str) -> bool:
        """Put a manifest under a tag or its digest; return what `Target.put_manifest` does.

        A target that says that something under it is missing is given a moment, and is sent what
        it lacks; at the last attempt also what it claims to have.
        """
        for number in range(1, _PUTS + 1):
            try:
                return end.put_manifest(manifest, reference)
            except RegistryError as error:
                if number == _PUTS or not _LACKING.intersection(error.codes):
                    _explain(error, manifest)
                    raise
                retry = self.mover.retry
                delay = retry.policy.random_delay(number + 1)
                retry.wait(f"manifest {reference}", number, error, delay, attempts=_PUTS)
                self._mend(end, manifest, frozenset(error.digests), believe=number == 1)
        raise AssertionError("unreachable")

    def confirm(self, end: Target, manifest: Manifest, reference: str) -> bool:
        """Look until the reference points to the manifest that was put; return whether it does.

        A target that does not say is a warning. So is a tag that still does not exist at the last
        look, if the manifest is there by its digest. Raise `ContentMismatch` if that is missing,
        too, or the tag shows another one.
        """
        workers = self.mover.retry.workers
        for pause in (*_PAUSES, None):
            match end.points_to(manifest, reference):
                case True:
                    return True
                case None:
                    self._warn(
                        f"{end.name} has taken the manifest for {reference}, but does not say "
                        "whether it shows it: this account may not read there, it seems"
                    )
                    return False
            if pause is not None:
                workers.pause(pause)
        shown = end.head_manifest(reference)
        if shown is None and end.head_manifest(manifest.digest) is not None:
            self._warn(
                f"{end.name} has stored {manifest.digest}, but its tag {reference} is not "
                f"visible yet, {sum(_PAUSES):.0f} s after it was set"
            )
            return False
        raise ContentMismatch(
            f"{reference} at {end.name} does not show the manifest that was put there",
            expected=manifest.digest,
            got="nothing" if shown is None else shown.digest,
            hint="somebody else may have set the tag meanwhile; run the copy again to set it",
        ).located(Side.TARGET, end.name)

    def _warn(self, message: str) -> None:
        self.mover.retry.reporter.tell(Warned(message))

    def _mend(
        self, end: Target, manifest: Manifest, named: frozenset[str], *, believe: bool
    ) -> None:
        """Send what is missing under a manifest.

        A target that is not to be believed is sent what it names, or everything if it names
        nothing.
        """
        blobs = {blob.digest: blob for blob in manifest.blobs()}
        children = {child.digest: child for child in manifest.manifests}
        if believe:
            missing = {digest for digest, blob in blobs.items() if not end.has_blob(blob)} | {
                digest for digest in children if end.head_manifest(digest) is None
            }
        else:
            everything = blobs.keys() | children.keys()
            missing = {digest for digest in everything if digest in named} or everything
        for digest in missing & blobs.keys():
            self._send(end, blobs[digest])
        for digest in missing & children.keys():
            child = self.content.get(digest) or self.mover.source.get_manifest(digest)
            self.put(end, child, digest)

    def _send(self, end: Target, blob: Descriptor) -> None:
        if is_foreign_layer(blob.media_type) and not self.mover.source.has_blob(blob):
            return
        moved = self.mover.move(blob, [end], force=True)
        self.read(moved.bytes_read)
        for outcome in moved.outcomes:
            if isinstance(outcome.error, RegimportError):
                raise outcome.error


def _explain(error: RegistryError, manifest: Manifest) -> None:
    """Say what the layers have to do with it, where a target refuses those of Windows' bases."""
    foreign = any(is_foreign_layer(layer.media_type) for layer in manifest.layers)
    if foreign and error.status == _REFUSED:
        error.hint = (
            "the image has foreign layers, which are named by URL: allow these URLs in the "
            "target's configuration, or bring the layers along with `foreign_layers=copy`"
        )
