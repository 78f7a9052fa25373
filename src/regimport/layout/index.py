"""index.json as a value: the manifests that a layout lists, and their names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from regimport.errors import InvalidManifest
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.mapping import FrozenMapping
from regimport.models.mediatype import OCI_INDEX
from regimport.models.names import MANIFEST, Members, check_names
from regimport.values import dataclass, field

__all__ = ["MAX_INDEX_BYTES", "REF_NAME", "Entry", "Index"]

# OCI image specification, annotations.md: the name under which a layout lists a manifest.
REF_NAME = "org.opencontainers.image.ref.name"
# Far more than any layout needs, at some 250 bytes a tag; it keeps a wrong file out of memory.
MAX_INDEX_BYTES = 64 * 1024 * 1024
_MEMBERS: Mapping[str, object] = FrozenMapping({"schemaVersion": 2, "mediaType": OCI_INDEX})


@dataclass(frozen=True, slots=True)
class Entry:
    """One manifest that index.json lists; `document` is its descriptor, as parsed JSON."""

    document: Mapping[str, object]
    descriptor: Descriptor

    @classmethod
    def of(cls, manifest: Manifest, annotations: Mapping[str, str]) -> Entry:
        """Return an entry for `manifest` with these annotations."""
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
        """The name in `oci:DIR:NAME`; None if the manifest is untagged."""
        return self.descriptor.annotations.get(REF_NAME)

    def annotated(self, annotations: Mapping[str, str]) -> Entry:
        """Return an entry for the same manifest with other annotations."""
        document = {key: value for key, value in self.document.items() if key != "annotations"}
        if annotations:
            document["annotations"] = dict(annotations)
        return Entry(document, replace(self.descriptor, annotations=annotations))


@dataclass(frozen=True, slots=True)
class Index:
    """The content of index.json; `members` are all its members except the entries."""

    entries: tuple[Entry, ...] = ()
    members: Mapping[str, object] = field(default_factory=lambda: _MEMBERS)

    @classmethod
    def parse(cls, content: bytes | None) -> Index:
        """Read an index.json, or raise `InvalidManifest`; None means an empty one."""
        if content is None:
            return cls()
        if len(content) > MAX_INDEX_BYTES:
            raise InvalidManifest(f"index.json is larger than {MAX_INDEX_BYTES} bytes")
        try:
            document = json.loads(content, object_pairs_hook=Members.of)
        except (ValueError, RecursionError) as error:
            raise InvalidManifest(f"index.json is not JSON: {str(error)[:200]}") from error
        if isinstance(document, dict):
            check_names(document, MANIFEST, "index.json")
        listed = document.pop("manifests", None) if isinstance(document, dict) else None
        if not isinstance(listed, list):
            raise InvalidManifest("index.json has no list of manifests")
        entries = (
            Entry(item, Descriptor.from_json(item, f"index.json: manifest {number}"))
            for number, item in enumerate(listed, 1)
        )
        return cls(tuple(entries), document)

    def render(self) -> bytes:
        """Return the text of index.json."""
        listed = [entry.document for entry in self.entries]
        document = {**self.members, "manifests": listed}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    def named(self, name: str) -> Entry | None:
        """Return the entry of a name, None if there is none.

        Raise `InvalidManifest` if two manifests have this name.
        """
        found = [entry for entry in self.entries if entry.name == name]
        if len({entry.digest for entry in found}) > 1:
            raise InvalidManifest(f"index.json lists two manifests under the name {name!r}")
        return found[0] if found else None

    def having(self, entry: Entry) -> Index:
        """Return the index with one more entry at the end."""
        return replace(self, entries=(*self.entries, entry))

    def without(self, unwanted: Callable[[Entry], bool]) -> Index:
        """Return the index without the entries that are `unwanted`."""
        return replace(self, entries=tuple(entry for entry in self.entries if not unwanted(entry)))
