"""index.json as a value: which manifests a layout lists, and under which names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from regimport.errors import InvalidManifest
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.mediatype import OCI_INDEX

__all__ = ["MAX_INDEX_BYTES", "REF_NAME", "Entry", "Index"]

# OCI image specification, annotations.md: the name a layout lists a manifest under.
REF_NAME = "org.opencontainers.image.ref.name"
# Far more than a layout lists, some 250 bytes a tag; the bound keeps a wrong file out of memory.
MAX_INDEX_BYTES = 64 * 1024 * 1024
_MEMBERS: Mapping[str, object] = MappingProxyType({"schemaVersion": 2, "mediaType": OCI_INDEX})


@dataclass(frozen=True, slots=True)
class Entry:
    """One manifest that index.json lists; `document` is its descriptor as it is written there."""

    document: Mapping[str, object]
    descriptor: Descriptor

    @classmethod
    def of(cls, manifest: Manifest, annotations: Mapping[str, str]) -> Entry:
        """List `manifest`, with `annotations` of the listing."""
        target = manifest.descriptor
        document: dict[str, object] = {
            "mediaType": target.media_type,
            "digest": target.digest,
            "size": target.size,
        }
        if manifest.artifact_type:
            document["artifactType"] = manifest.artifact_type
        if annotations:
            document["annotations"] = dict(annotations)
        return cls(document, Descriptor.from_json(document, "the new entry"))

    @property
    def digest(self) -> Digest:
        """The digest of the manifest."""
        return self.descriptor.digest

    @property
    def name(self) -> str | None:
        """The name it is listed under, for `oci:DIR:NAME`; None if it is untagged."""
        return self.descriptor.annotations.get(REF_NAME)

    def annotated(self, annotations: Mapping[str, str]) -> Entry:
        """Give the same manifest with other annotations of the listing."""
        document = {key: value for key, value in self.document.items() if key != "annotations"}
        if annotations:
            document["annotations"] = dict(annotations)
        return Entry(document, replace(self.descriptor, annotations=annotations))


@dataclass(frozen=True, slots=True)
class Index:
    """All that index.json says; `members` is what it holds besides the entries."""

    entries: tuple[Entry, ...] = ()
    members: Mapping[str, object] = field(default_factory=lambda: _MEMBERS)

    @classmethod
    def parse(cls, content: bytes | None) -> Index:
        """Read an index.json, none is an empty one; raises `InvalidManifest`."""
        if content is None:
            return cls()
        if len(content) > MAX_INDEX_BYTES:
            raise InvalidManifest(f"index.json is larger than {MAX_INDEX_BYTES} bytes")
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise InvalidManifest(f"index.json is no JSON: {str(error)[:200]}") from error
        listed = document.pop("manifests", None) if isinstance(document, dict) else None
        if not isinstance(listed, list):
            raise InvalidManifest("index.json lists no manifests")
        entries = (
            Entry(item, Descriptor.from_json(item, f"index.json: manifest {number}"))
            for number, item in enumerate(listed, 1)
        )
        return cls(tuple(entries), document)

    def render(self) -> bytes:
        """Give the text of index.json."""
        listed = [entry.document for entry in self.entries]
        document = {**self.members, "manifests": listed}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    def named(self, name: str) -> Entry | None:
        """Find the entry of a name; raises `InvalidManifest` if it names two manifests."""
        found = [entry for entry in self.entries if entry.name == name]
        if len({entry.digest for entry in found}) > 1:
            raise InvalidManifest(f"index.json lists two manifests under the name {name!r}")
        return found[0] if found else None

    def having(self, entry: Entry) -> Index:
        """Add an entry at the end."""
        return replace(self, entries=(*self.entries, entry))

    def without(self, unwanted: Callable[[Entry], bool]) -> Index:
        """Leave entries out."""
        return replace(self, entries=tuple(entry for entry in self.entries if not unwanted(entry)))
