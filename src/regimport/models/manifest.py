"""Manifests and indexes: the bytes as received, and a checked view of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from regimport.errors import InvalidManifest
from regimport.large import LARGE_BYTES, begin_large, one_large, too_many_values
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.mediatype import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    OCI_ARTIFACT,
    OCI_INDEX,
    OCI_MANIFEST,
    SCHEMA1_TYPES,
    essence,
    is_same_kind,
    is_sendable,
)
from regimport.models.names import MANIFEST, Members, check_names, valid_text

__all__ = ["MAX_MANIFEST_BYTES", "Manifest"]

# Registries must take 4 MiB (OCI distribution specification, "Pushing Manifests"); some take
# more. The bound keeps an endless answer out of memory.
MAX_MANIFEST_BYTES = 16 * 1024 * 1024
_MAX_DESCRIPTORS = 10_000
# The values in one manifest, counted before it is read as JSON, where each takes up to 200 bytes.
# An index of 10,000 manifests has some 100,000.
_MAX_VALUES = 300_000
# The members that list what a manifest or an index consists of.
_CONTENT = ("manifests", "config", "layers", "blobs")
_WITH_LAYERS = MANIFEST_TYPES - {OCI_ARTIFACT}


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or an index; `raw` are its bytes as received, and they are pushed unchanged.

    `manifests` are the children of an index; `config` and `layers` are the blobs of a manifest.
    `descriptor` points to `raw`. `served_as` is the media type that it was served with, if that is
    another one of the same kind.
    """

    raw: bytes
    descriptor: Descriptor
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str | None = None
    served_as: str | None = None

    @classmethod
    def parse(
        cls, raw: bytes, content_type: str | None = None, *, algorithm: str = "sha256"
    ) -> Manifest:
        """Read a manifest as it was received with `content_type`.

        Raise `InvalidManifest` if the bytes are not a manifest, or if Content-Type, `mediaType`
        and shape are of different kinds: a document that one client reads as an image and another
        as an index could hide its content (CVE-2021-41190). Of two types of one kind, `mediaType`
        counts. A member that is null counts as missing.
        """
        with one_large():
            if len(raw) > LARGE_BYTES:
                begin_large()
            return cls._parse(raw, content_type, algorithm)

    @classmethod
    def _parse(cls, raw: bytes, content_type: str | None, algorithm: str) -> Manifest:
        if essence(content_type) in SCHEMA1_TYPES:
            raise _schema1()
        document = _load(raw)
        check_names(document, MANIFEST, "the manifest")
        media_type = _media_type(document, header := _header(document, content_type))
        digest = Digest.of(raw, algorithm)
        artifact_type = document.get("artifactType")
        config = document.get("config")
        subject = document.get("subject")
        return cls(
            raw,
            Descriptor(media_type, digest, len(raw)),
            None if config is None else Descriptor.from_json(config, "the manifest's config"),
            _layers(document, media_type),
            _descriptors(document.get("manifests"), "manifest"),
            None if subject is None else Descriptor.from_json(subject, "the manifest's subject"),
            valid_text(artifact_type),
            header if header and header != media_type else None,
        )

    @property
    def media_type(self) -> str:
        """The media type that it is pushed with."""
        return self.descriptor.media_type

    @property
    def digest(self) -> Digest:
        """The digest of `raw`."""
        return self.descriptor.digest

    def blobs(self) -> tuple[Descriptor, ...]:
        """Return the config, if there is one, and the layers, in the order of the manifest."""
        return self.layers if self.config is None else (self.config, *self.layers)


def _load(raw: bytes) -> Mapping[str, object]:
    if too_many_values(raw, _MAX_VALUES):
        raise InvalidManifest(
            f"the answer is not a manifest: it has more than {_MAX_VALUES} values",
            hint="no program writes that; somebody may have made it to do harm",
        )
    try:
        document = json.loads(
            raw.decode("utf-8"), object_pairs_hook=Members.of, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InvalidManifest(
            f"the answer is not a manifest: {reason[:200]}",
            hint="a proxy or a login page may have answered in the registry's place",
        ) from error
    if not isinstance(document, dict):
        raise InvalidManifest("the answer is not a manifest: it is not a JSON object")
    return document


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


def _media_type(document: Mapping[str, object], header: str) -> str:
    """Return the media type, which must fit the header and the shape of the document."""
    declared = document.get("mediaType")
    if declared is not None and not (isinstance(declared, str) and is_sendable(declared)):
        raise InvalidManifest(
            "the manifest's mediaType is not a string of printable ASCII characters"
        )
    if document.get("schemaVersion") == 1 or document.get("fsLayers") is not None:
        raise _schema1()
    if declared and header and not is_same_kind(declared, header):
        raise InvalidManifest(
            f"the manifest's mediaType is {declared}, but it was served as {header}"
        )
    media_type = declared or header
    lists = _lists_manifests(document, media_type)
    if media_type in (MANIFEST_TYPES if lists else INDEX_TYPES):
        raise InvalidManifest(f"a manifest of type {media_type} cannot have this shape")
    return media_type or (OCI_INDEX if lists else OCI_MANIFEST)


def _header(document: Mapping[str, object], content_type: str | None) -> str:
    """Return the media type that was served, if it says anything.

    A type that is not known here counts where the document has none of its own, unless proxies
    write it, as application/json.
    """
    header = essence(content_type)
    alone = document.get("mediaType") is None and header.startswith("application/vnd.")
    known = header in INDEX_TYPES | MANIFEST_TYPES
    return header if known or (alone and is_sendable(header)) else ""


def _lists_manifests(document: Mapping[str, object], media_type: str) -> bool:
    """Return whether a document is an index by its shape.

    A list that Go has left empty is null. If all are, the media type decides.
    """
    present = {key for key in _CONTENT if document.get(key) is not None}
    if not present:
        present = {key for key in _CONTENT if key in document}
        if "manifests" in present and len(present) > 1:
            present = {"manifests"} if media_type in INDEX_TYPES else present - {"manifests"}
    if not present:
        raise InvalidManifest("the answer is not a manifest: it lists neither manifests nor layers")
    if "manifests" in present and len(present) > 1:
        raise InvalidManifest("the manifest is ambiguous: it lists both manifests and layers")
    return "manifests" in present


def _layers(document: Mapping[str, object], media_type: str) -> tuple[Descriptor, ...]:
    """Return the content besides the config; of a type that is not known, all that it lists."""
    blobs = () if media_type in _WITH_LAYERS else _descriptors(document.get("blobs"), "blob")
    if media_type == OCI_ARTIFACT:
        return blobs
    return _descriptors(document.get("layers"), "layer") + blobs


def _descriptors(value: object, kind: str) -> tuple[Descriptor, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InvalidManifest(f"the manifest's {kind}s are not a list")
    if len(value) > _MAX_DESCRIPTORS:
        raise InvalidManifest(
            f"it lists {len(value)} {kind}s; at most {_MAX_DESCRIPTORS} are allowed"
        )
    return tuple(
        Descriptor.from_json(item, f"the manifest's {kind} {n}") for n, item in enumerate(value, 1)
    )


def _schema1() -> InvalidManifest:
    return InvalidManifest(
        "the source serves a Docker schema 1 image, a deprecated format that cannot be copied",
        hint="push the image again with a current Docker, or choose a newer tag",
    )
