"""What refers to an image: referrers, the tag and the index that list them, and digest tags. Pure.

The rules are those of the OCI distribution specification 1.1, "Referrers Tag Schema" and "Pushing
Manifests with Subject"; the digest tags are cosign's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.mediatype import OCI_INDEX
from regimport.values import dataclass

__all__ = [
    "COSIGN_SUFFIXES",
    "Referrer",
    "Referrers",
    "artifact_type_of",
    "digest_tags",
    "fallback_tag",
    "has_subject",
    "is_digest_tag",
    "is_referrers_index",
    "merged_index",
]

# What cosign puts behind the digest: signatures, attestations and SBOMs.
COSIGN_SUFFIXES = (".sig", ".att", ".sbom")
_DIGEST_TAG = re.compile(r"sha256-([0-9a-f]{64})(\.[A-Za-z0-9_.-]+)")
_FALLBACK_TAG = re.compile(r"sha(?:256|512)-[0-9a-f]{64}")
_LONGEST_ALGORITHM = 32
_LONGEST_ENCODED = 64


@dataclass(frozen=True, slots=True)
class Referrer:
    """A manifest that belongs to another one, its `subject`: a signature, an SBOM, an attestation.

    `tag` is the digest tag that says so; None if the manifest names its subject itself.
    `artifact_type` is what it is, empty if it does not say.
    """

    subject: Digest
    manifest: Descriptor
    artifact_type: str = ""
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Referrers:
    """What was found to refer to an image; not `complete` if the source did not tell all."""

    found: tuple[Referrer, ...] = ()
    complete: bool = True


def fallback_tag(subject: Digest) -> str:
    """Return the tag under which the referrers of a manifest are listed without the API."""
    return f"{subject.algorithm[:_LONGEST_ALGORITHM]}-{subject.encoded[:_LONGEST_ENCODED]}"


def digest_tags(tags: Iterable[str]) -> dict[Digest, list[str]]:
    """Return the digest tags among `tags`, such as `sha256-….sig`, by the digest in them."""
    found: dict[Digest, list[str]] = {}
    for tag in tags:
        match = _DIGEST_TAG.fullmatch(tag)
        if match is not None:
            found.setdefault(Digest(f"sha256:{match[1]}"), []).append(tag)
    return found


def is_digest_tag(tag: str) -> bool:
    """Return whether a tag is a digest tag, or the fallback tag of a manifest."""
    return _DIGEST_TAG.fullmatch(tag) is not None or _FALLBACK_TAG.fullmatch(tag) is not None


def is_referrers_index(manifest: Manifest, subject: Digest) -> bool:
    """Return whether what a fallback tag points to can be a list of referrers.

    Some registries take such a tag for the digest in it, and answer with the subject (GitLab,
    oras-go#1396).
    """
    same = Digest.of(manifest.raw, subject.algorithm) == subject
    return manifest.media_type == OCI_INDEX and not same


def has_subject(manifest: Manifest, subject: Digest, content: bytes | None = None) -> bool:
    """Return whether a manifest names `subject`, by this digest or another one of its `content`."""
    named = None if manifest.subject is None else manifest.subject.digest
    if named is None or named == subject:
        return named is not None
    if content is None or named.algorithm == subject.algorithm:
        return False
    return Digest.of(content, named.algorithm) == named


def artifact_type_of(manifest: Manifest) -> str:
    """Return what a manifest is: its artifactType, or else the media type of its config."""
    if manifest.artifact_type:
        return manifest.artifact_type
    return "" if manifest.config is None else manifest.config.media_type


def merged_index(old: Manifest | None, referrers: Sequence[Manifest]) -> Manifest | None:
    """Return the index of a fallback tag with `referrers` in it; None if `old` has them all.

    What others have put into it stays as it is.
    """
    document = {} if old is None else json.loads(old.raw)
    listed = document.get("manifests") or []
    known = set() if old is None else {entry.digest for entry in old.manifests}
    new = [_entry(manifest) for manifest in referrers if manifest.digest not in known]
    if not new:
        return None
    base = {"schemaVersion": 2, "mediaType": OCI_INDEX}
    text = json.dumps(base | document | {"manifests": [*listed, *new]}, separators=(",", ":"))
    return Manifest.parse(text.encode(), OCI_INDEX)


def _entry(manifest: Manifest) -> dict[str, object]:
    """Return the descriptor that lists a referrer, with its artifactType and annotations."""
    target = manifest.descriptor
    entry: dict[str, object] = {
        "mediaType": target.media_type,
        "digest": target.digest,
        "size": target.size,
    }
    artifact_type = artifact_type_of(manifest)
    if artifact_type:
        entry["artifactType"] = artifact_type
    annotations = json.loads(manifest.raw).get("annotations")
    if annotations:
        entry["annotations"] = annotations
    return entry
