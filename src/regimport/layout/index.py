"""index.json as a value: the manifests that a layout lists, and their names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from regimport.errors import InvalidManifest
from regimport.large import LARGE_BYTES, begin_large, one_large, too_many_values
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.mapping import FrozenMapping
from regimport.models.mediatype import OCI_INDEX, is_media_type
from regimport.models.names import MANIFEST, Members, check_names
from regimport.models.reference import image_named
from regimport.values import dataclass, field

__all__ = ["IMAGE_NAME", "MAX_INDEX_BYTES", "REF_NAME", "Entry", "Index"]

# OCI image specification, annotations.md: the name under which a layout lists a manifest.
REF_NAME = "org.opencontainers.image.ref.name"
# containerd's annotation for the full name of an image (images/annotations.go); Docker has it, too.
IMAGE_NAME = "io.containerd.image.name"
# More than any layout needs: at some 250 bytes a tag, more than 60,000 tags. Read as JSON, each
# value takes up to 400 bytes; they are counted before.
MAX_INDEX_BYTES = 16 * 1024 * 1024
_MAX_VALUES = 500_000
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
        if manifest.artifact_type and is_media_type(manifest.artifact_type):
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

    @property
    def image(self) -> str | None:
        """The full name of the image, `registry/repository:tag`; None if the entry has none."""
        full = image_named(self.descriptor.annotations.get(IMAGE_NAME) or self.name or "")
        return None if full is None or full.tag is None else str(full.tagged(full.tag))

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
        if too_many_values(content, _MAX_VALUES):
            raise InvalidManifest(f"index.json has more than {_MAX_VALUES} values")
        with one_large():
            if len(content) > LARGE_BYTES:
                begin_large()
            return cls._parse(content)

    @classmethod
    def _parse(cls, content: bytes) -> Index:
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
        """Return the text of index.json, or raise `InvalidManifest` if nobody would read it back.

        It is larger than `MAX_INDEX_BYTES` then.
        """
        listed = [entry.document for entry in self.entries]
        document = {**self.members, "manifests": listed}
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        try:
            content = text.encode()
        except UnicodeEncodeError:
            # Half of a surrogate pair, which only an escape can hold, stays what it is.
            content = json.dumps(document, separators=(",", ":")).encode()
        if len(content) > MAX_INDEX_BYTES or too_many_values(content, _MAX_VALUES):
            raise InvalidManifest(
                f"index.json would be larger than {MAX_INDEX_BYTES} bytes, or hold too many values",
                hint="remove tags that are not needed any more, or use another layout",
            )
        return content

    def named(self, name: str) -> Entry | None:
        """Return the entry of a name, or of an image's full name; None if there is none.

        Raise `InvalidManifest` if two manifests have this name.
        """
        found = [entry for entry in self.entries if entry.name == name]
        if not found and (full := image_named(name)) is not None:
            found = [entry for entry in self.entries if entry.image == str(full)]
        if len({entry.digest for entry in found}) > 1:
            names = sorted(entry.image or entry.digest for entry in found)
            raise InvalidManifest(
                f"index.json lists two manifests under the name {name!r}",
                hint=f"choose one by its full name or its digest: {', '.join(names)[:300]}",
            )
        return found[0] if found else None

    def names(self) -> set[str]:
        """Return the names by which manifests can be asked for."""
        return {name for name, _ in self.images() if name}

    def images(self) -> tuple[tuple[str | None, Digest], ...]:
        """Return the name and the digest of each manifest; a name is None where there is none.

        A full name stands for one that several manifests share.
        """
        owners: dict[str, set[Digest]] = {}
        for entry in self.entries:
            owners.setdefault(entry.name or "", set()).add(entry.digest)
        return tuple(
            (
                entry.image if entry.name and len(owners[entry.name]) > 1 else entry.name,
                entry.digest,
            )
            for entry in self.entries
        )

    def listing(
        self, manifest: Manifest, annotations: Mapping[str, str], below: set[Digest]
    ) -> Index:
        """Return the index with a manifest under the name in `annotations`, or untagged.

        A name moves from the manifest that it pointed to. A manifest is not listed untagged if it
        is listed already, or is `below` an index that is; an index takes the untagged entries of
        its children away.
        """
        name = annotations.get(REF_NAME)
        children = {child.digest for child in manifest.manifests}
        kept = self.without(lambda entry: entry.name is None and entry.digest in children)
        if name is not None:
            return kept.without(
                lambda entry: (
                    entry.name == name or (entry.name is None and entry.digest == manifest.digest)
                )
            ).having(Entry.of(manifest, annotations))
        listed = {entry.digest for entry in kept.entries}
        if manifest.digest in listed | below:
            return kept
        return kept.having(Entry.of(manifest, annotations))

    def having(self, entry: Entry) -> Index:
        """Return the index with one more entry at the end."""
        return replace(self, entries=(*self.entries, entry))

    def without(self, unwanted: Callable[[Entry], bool]) -> Index:
        """Return the index without the entries that are `unwanted`."""
        return replace(self, entries=tuple(entry for entry in self.entries if not unwanted(entry)))
