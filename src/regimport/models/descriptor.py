"""Descriptors: pointers to content, with its media type, digest and size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from regimport.errors import InvalidManifest, InvalidReference
from regimport.models.digest import Digest
from regimport.models.mapping import FrozenMapping
from regimport.models.mediatype import is_sendable
from regimport.models.names import DESCRIPTOR, PLATFORM, check_names, valid_text
from regimport.models.platform import Platform

__all__ = ["UNKNOWN_SIZE", "Descriptor"]

# The size of a descriptor that does not say it.
UNKNOWN_SIZE = -1

_NO_ANNOTATIONS: Mapping[str, str] = FrozenMapping()
# The largest integer that every JSON reader keeps exact (RFC 8259, section 6).
_MAX_SIZE = 2**53 - 1
# How many places of one content are looked at.
_MAX_URLS = 8


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A descriptor of the OCI image specification (descriptor.md); `size` is in bytes.

    `size` is `UNKNOWN_SIZE`, and `media_type` empty, where the manifest does not say it. `urls` are
    where else the content may be read.
    Two descriptors are equal if they point to the same content.
    """

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = field(default=None, compare=False)
    artifact_type: str | None = field(default=None, compare=False)
    annotations: Mapping[str, str] = field(default_factory=lambda: _NO_ANNOTATIONS, compare=False)
    urls: tuple[str, ...] = field(default=(), compare=False)

    @property
    def has_size(self) -> bool:
        """Whether the size is known."""
        return self.size != UNKNOWN_SIZE

    @classmethod
    def from_json(cls, value: object, where: str) -> Descriptor:
        """Read a descriptor, or raise `InvalidManifest`, whose message calls it `where`."""
        if not isinstance(value, Mapping):
            raise InvalidManifest(f"{where} is not a descriptor")
        check_names(value, DESCRIPTOR, where)
        platform = value.get("platform")
        if isinstance(platform, Mapping):
            check_names(platform, PLATFORM, f"the platform of {where}")
        media_type, digest, size = (value.get(key) for key in ("mediaType", "digest", "size"))
        media_type = "" if media_type is None else media_type
        if not isinstance(media_type, str) or not is_sendable(media_type):
            raise InvalidManifest(f"{where} has no valid mediaType")
        if not isinstance(digest, str):
            raise InvalidManifest(f"{where} has no digest")
        try:
            checked = Digest(digest)
        except InvalidReference as error:
            raise InvalidManifest(f"{where} has an {error.message}") from error
        artifact_type, annotations = value.get("artifactType"), value.get("annotations")
        return cls(
            media_type,
            checked,
            _size(size, checked, where),
            Platform.from_json(platform),
            valid_text(artifact_type),
            _strings(annotations),
            _urls(value.get("urls")),
        )


def _size(value: object, digest: Digest, where: str) -> int:
    """Return a size; unknown where it is missing, -1, or 0 for content that has bytes.

    So it is written by programs whose variable for it was never set (buildkit#4328).
    """
    if value is None:
        return UNKNOWN_SIZE
    if type(value) is not int or not UNKNOWN_SIZE <= value <= _MAX_SIZE:
        raise InvalidManifest(f"{where} has no valid size")
    return UNKNOWN_SIZE if value == 0 and digest != Digest.of(b"", digest.algorithm) else value


def _urls(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(url for url in value[:_MAX_URLS] if isinstance(url, str))


def _text(text: str) -> str:
    return text if text.isascii() else valid_text(text) or ""


def _strings(value: object) -> Mapping[str, str]:
    if not isinstance(value, Mapping) or not value:
        return _NO_ANNOTATIONS
    pairs = {_text(key): _text(text) for key, text in value.items() if isinstance(text, str)}
    return FrozenMapping(pairs)
