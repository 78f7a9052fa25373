"""The media types of manifests and layers, and what kind of content each one is."""

from __future__ import annotations

import re

__all__ = [
    "ACCEPT_MANIFESTS",
    "DOCKER_MANIFEST",
    "DOCKER_MANIFEST_LIST",
    "INDEX_TYPES",
    "MANIFEST_TYPES",
    "MAX_MEDIA_TYPE",
    "OCI_ARTIFACT",
    "OCI_INDEX",
    "OCI_MANIFEST",
    "SCHEMA1_TYPES",
    "essence",
    "is_foreign_layer",
    "is_media_type",
    "is_same_kind",
    "is_sendable",
]

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
DOCKER_MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_MANIFEST_LIST})
MANIFEST_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST, OCI_ARTIFACT})
# An artifact manifest lists its content under another name, and so is of another kind.
_IMAGE_TYPES = MANIFEST_TYPES - {OCI_ARTIFACT}
SCHEMA1_TYPES = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)

# Every type in one list: for a client whose list is too short, registries convert an image to the
# deprecated schema 1, or to one platform.
ACCEPT_MANIFESTS = ", ".join(
    (OCI_INDEX, DOCKER_MANIFEST_LIST, OCI_MANIFEST, DOCKER_MANIFEST, OCI_ARTIFACT, "*/*;q=0.1")
)

# OCI image specification, layer.md, "Non-Distributable Layers", and Docker's older spelling.
_FOREIGN_LAYERS = (
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
)

# RFC 6838, section 4.2: at most 127 characters before the slash, and as many after it.
MAX_MEDIA_TYPE = 255
_RESTRICTED_NAME = "[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE = re.compile(f"{_RESTRICTED_NAME}/{_RESTRICTED_NAME}")


def essence(content_type: str | None) -> str:
    """Return a Content-Type without its parameters, in lower case (RFC 9110, section 8.3.1)."""
    return (content_type or "").partition(";")[0].strip().lower()


def is_same_kind(one: str, other: str) -> bool:
    """Return whether two media types are of one kind: both images, or both indexes."""
    pair = {one, other}
    return len(pair) == 1 or pair <= INDEX_TYPES or pair <= _IMAGE_TYPES


def is_sendable(media_type: str) -> bool:
    """Return whether a media type can be sent in a header and shown on a terminal."""
    return media_type.isascii() and media_type.isprintable()


def is_media_type(text: str) -> bool:
    """Return whether a text is a media type without parameters, as RFC 6838, section 4.2, says.

    The image specification wants `mediaType` and `artifactType` so.
    """
    return len(text) <= MAX_MEDIA_TYPE and _MEDIA_TYPE.fullmatch(text) is not None


def is_foreign_layer(media_type: str) -> bool:
    """Return whether layers of this type may be missing from a registry."""
    return media_type.startswith(_FOREIGN_LAYERS)
