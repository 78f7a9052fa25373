"""Makes what belongs to an image findable at a target: lists of referrers, and digest tags."""

from __future__ import annotations

from collections.abc import Sequence

from regimport.engine.ends import Target
from regimport.errors import NotFound, RegistryError, Side
from regimport.events import Reporter, Warned
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.referrers import fallback_tag, is_referrers_index, merged_index

__all__ = ["list_referrers", "wants_digest_tag"]

# How often a list is written again that another writer has replaced at the same moment.
_WRITES = 4


def list_referrers(
    end: Target, subject: Digest, referrers: Sequence[Manifest], reporter: Reporter
) -> None:
    """Have a target list manifests as referrers of `subject`, which it has not confirmed to do.

    A target with the API that does not list one is sent it once more. Without the API, or where it
    confirms nothing, the fallback tag gets an index with them and with what it listed before (OCI
    distribution specification, "Pushing Manifests with Subject"). Raise `RegistryError` if that tag
    points to something else, which is left as it is.
    """
    rest = list(referrers)
    listed = end.referrers(subject)
    if listed is not None:
        known = {entry.digest for entry in listed}
        rest = [
            manifest
            for manifest in rest
            if manifest.digest not in known and not end.put_manifest(manifest, manifest.digest)
        ]
    tag = fallback_tag(subject)
    for _ in range(_WRITES if rest else 0):
        try:
            old: Manifest | None = end.get_manifest(tag)
        except NotFound:
            old = None
        if old is not None and not is_referrers_index(old, subject):
            _refuse(end, subject, old, reporter)
            return
        index = merged_index(old, rest)
        if index is None:
            return
        end.put_manifest(index, tag)
        # What the target does not tell is no reason to write it again.
        if end.points_to(index, tag) is not False:
            return
    if rest:
        raise RegistryError(
            f"the list of referrers under {tag} does not keep what is written to it",
            hint="another program may be writing it; run the copy again",
        ).located(Side.TARGET, end.name)


def _refuse(end: Target, subject: Digest, old: Manifest, reporter: Reporter) -> None:
    """Warn that there is no list, or raise if writing one would overwrite something."""
    tag = fallback_tag(subject)
    if Digest.of(old.raw, subject.algorithm) == subject:
        # GitLab takes the tag for the digest in it, so that nobody could read a list there.
        reporter.tell(
            Warned(
                f"{end.name} cannot list referrers: it has no API for that, and takes the tag "
                f"{tag} for the image itself; they were copied, and can be read by digest alone"
            )
        )
        return
    raise RegistryError(
        f"the tag {tag}, for the list of referrers, points to something else",
        hint="nothing was written there; copy without `referrers`, or delete that tag",
    ).located(Side.TARGET, end.name)


def wants_digest_tag(
    end: Target, manifest: Manifest, tag: str, reporter: Reporter, *, clobber: bool
) -> bool:
    """Return whether a digest tag is to be set; one that exists is left alone unless `clobber`."""
    held = end.head_manifest(tag) if clobber else end.find_tag(tag)
    if held is None:
        return True
    if held.digest == manifest.digest:
        return False
    if not clobber:
        reporter.tell(
            Warned(f"{end.name}:{tag} exists already, as {held.digest}, and was left as it is")
        )
    return clobber
