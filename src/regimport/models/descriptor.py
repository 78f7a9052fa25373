"""Descriptors: pointers to content, with its media type, digest and size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from regimport.errors import InvalidManifest, InvalidReference
from regimport.models.digest import Digest
from regimport.models.mediatype import is_sendable
from regimport.models.platform import Platform

__all__ = ["Descriptor"]

_NO_ANNOTATIONS: Mapping[str, str] = MappingProxyType({})
# The largest integer that every JSON reader keeps exact (RFC 8259, section 6).
_MAX_SIZE = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A descriptor of the OCI image specification (descriptor.md); `size` is in bytes.

    Two descriptors are equal if they point to the same content.
    """

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = field(default=None, compare=False)
    artifact_type: str | None = field(default=None, compare=False)
    annotations: Mapping[str, str] = field(default_factory=lambda: _NO_ANNOTATIONS, compare=False)

    def __reduce__(self) -> tuple[object, ...]:
        # A mapping proxy cannot be pickled.
        facts = (self.media_type, self.digest, self.size, self.platform, self.artifact_type)
        return _restore, (*facts, dict(self.annotations))

    @classmethod
    def from_json(cls, value: object, where: str) -> Descriptor:
        """Read a descriptor of a manifest; `where` names it in the `InvalidManifest` raised."""
        if not isinstance(value, Mapping):
            raise InvalidManifest(f"{where} is not a descriptor")
        media_type, digest, size = (value.get(key) for key in ("mediaType", "digest", "size"))
        if not isinstance(media_type, str) or not is_sendable(media_type):
            raise InvalidManifest(f"{where} has no valid mediaType")
        if not isinstance(digest, str):
            raise InvalidManifest(f"{where} has no digest")
        if type(size) is not int or not 0 <= size <= _MAX_SIZE:
            raise InvalidManifest(f"{where} has no valid size")
        try:
            checked = Digest(digest)
        except InvalidReference as error:
            raise InvalidManifest(f"{where} has an {error.message}") from error
        artifact_type, annotations = value.get("artifactType"), value.get("annotations")
        return cls(
            media_type,
            checked,
            size,
            Platform.from_json(value.get("platform")),
            artifact_type if isinstance(artifact_type, str) else None,
            _strings(annotations),
        )


def _restore(
    media_type: str,
    digest: Digest,
    size: int,
    platform: Platform | None,
    artifact_type: str | None,
    annotations: dict[str, str],
) -> Descriptor:
    """Return the descriptor that was pickled."""
    return Descriptor(
        media_type, digest, size, platform, artifact_type, MappingProxyType(annotations)
    )


def _strings(value: object) -> Mapping[str, str]:
    if not isinstance(value, Mapping) or not value:
        return _NO_ANNOTATIONS
    pairs = {key: text for key, text in value.items() if isinstance(text, str)}
    return MappingProxyType(pairs)
