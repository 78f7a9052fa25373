"""Makes an index of a part of another one.

Every entry that stays is copied with all its members, the attestations of an image stay with it,
and nothing is named that is left out. The same part of the same index always has the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from regimport.engine.ends import Source, SourceWrapper
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.platform import Selection
from regimport.values import dataclass

__all__ = ["Subset", "SubsetSource", "attested_by", "is_made_of", "make_subset"]

# What BuildKit writes at an entry that attests another one of the same index (buildkit,
# docs/attestations/attestation-storage.md).
_ATTESTED = "vnd.docker.reference.digest"
_KIND = "vnd.docker.reference.type"
# What a new index says of itself: the digest of the index that it is a part of, and which part.
_SOURCE = "vnd.regimport.source.digest"
_PLATFORMS = "vnd.regimport.platforms"
_ATTESTATIONS = "vnd.regimport.attestations"


@dataclass(frozen=True, slots=True)
class Subset:
    """A new index, and which part of which one it is.

    `platforms` are those that were asked for, none if all are there; `attestations` is whether
    those of the images are there.
    """

    source: Digest
    platforms: tuple[str, ...]
    attestations: bool
    index: Manifest

    @property
    def digest(self) -> Digest:
        """The digest of the new index."""
        return self.index.digest


class SubsetSource(SourceWrapper):
    """A source with an index, and those below it, that are new."""

    def __init__(self, source: Source, manifests: Mapping[Digest, Manifest]) -> None:
        super().__init__(source)
        self._manifests = manifests

    def head_manifest(self, reference: str) -> Descriptor | None:
        """Ask what a tag or a digest points to; of what is new, it is known."""
        own = self._own(reference)
        return self._source.head_manifest(reference) if own is None else own.descriptor

    def get_manifest(self, reference: str) -> Manifest:
        """Read a manifest."""
        return self._own(reference) or self._source.get_manifest(reference)

    def _own(self, reference: str) -> Manifest | None:
        return next((new for digest, new in self._manifests.items() if digest == reference), None)


def attested_by(descriptor: Descriptor) -> str | None:
    """Return the digest that an attestation is about, which may be empty; None for an image."""
    said = descriptor.annotations
    return said.get(_ATTESTED, "" if _KIND in said else None)


def is_made_of(index: Manifest, source: Digest, selection: Selection) -> bool:
    """Return whether an index says of itself that it is this part of the index `source`."""
    annotations = json.loads(index.raw).get("annotations")
    if not isinstance(annotations, dict):
        return False
    own = {name: annotations.get(name) for name in (_SOURCE, _PLATFORMS, _ATTESTATIONS)}
    return own == dict.fromkeys(own) | _statement(source, selection)


def make_subset(
    root: Manifest, indexes: Mapping[Digest, Manifest], kept: Collection[Digest], part: Selection
) -> tuple[Manifest | None, dict[Digest, Manifest]]:
    """Return the index of what is `kept` under `root`, and all indexes that are new.

    `indexes` are those under the root, `kept` the digests of other manifests. The index is `root`
    itself if all is kept, and None if nothing is.
    """
    statement = _statement(root.digest, part)
    made: dict[Digest, Manifest | None] = {}

    def remake(index: Manifest) -> Manifest | None:
        if index.digest not in made:
            annotations = statement if index is root else {}
            made[index.digest] = _cut(index, below, annotations)
        return made[index.digest]

    def below(child: Descriptor) -> Descriptor | None:
        inner = indexes.get(child.digest)
        if inner is None:
            return child if child.digest in kept else None
        new = remake(inner)
        return None if new is None else new.descriptor

    index = remake(root)
    new = {
        found.digest: found
        for digest, found in made.items()
        if found is not None and found.digest != digest
    }
    return index, new


def _statement(source: Digest, part: Selection) -> dict[str, str]:
    statement = {_SOURCE: str(source)}
    if part.platforms:
        statement[_PLATFORMS] = ",".join(sorted(map(str, part.platforms)))
    if not part.attestations:
        statement[_ATTESTATIONS] = "none"
    return statement


def _cut(
    index: Manifest,
    below: Callable[[Descriptor], Descriptor | None],
    annotations: Mapping[str, str],
) -> Manifest | None:
    """Return an index without the entries of which nothing is left; itself if nothing changes."""
    document: dict[str, Any] = json.loads(index.raw)
    entries = []
    for child, entry in zip(index.manifests, document["manifests"], strict=True):
        found = below(child)
        if found is None:
            continue
        entries.append(entry if found.digest == child.digest else _pointing(entry, found))
    if not entries:
        return None
    if entries == document["manifests"]:
        return index
    document["manifests"] = entries
    if annotations:
        document["annotations"] = {**(document.get("annotations") or {}), **annotations}
    raw = json.dumps(document, indent=2).encode()
    return Manifest.parse(raw, index.media_type, algorithm=index.digest.algorithm)


def _pointing(entry: Mapping[str, Any], found: Descriptor) -> dict[str, Any]:
    """Return an entry that points to another index; `data` would be the content of the old one."""
    kept = {name: value for name, value in entry.items() if name != "data"}
    return kept | {"digest": str(found.digest), "size": found.size}
