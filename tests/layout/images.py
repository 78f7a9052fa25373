"""Images made up for tests, and a check that a folder is a whole image layout."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from regimport.layout.writer import Layout
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.mediatype import OCI_INDEX, OCI_MANIFEST

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True)
class Image:
    """A root manifest with all that is below it, children first."""

    manifests: tuple[Manifest, ...]
    blobs: dict[Digest, bytes]

    @property
    def root(self) -> Manifest:
        return self.manifests[-1]

    def descriptors(self) -> Iterator[tuple[Descriptor, bytes]]:
        for digest, content in self.blobs.items():
            yield Descriptor(LAYER, digest, len(content)), content


def describe(content: bytes, media_type: str, algorithm: str = "sha256") -> dict[str, object]:
    digest = Digest.of(content, algorithm)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def make_manifest(document: dict[str, object], algorithm: str = "sha256") -> Manifest:
    # Indented, as no tool of ours would write it: bytes must survive as they are.
    raw = json.dumps({"schemaVersion": 2, **document}, indent=3).encode()
    return Manifest.parse(raw, algorithm=algorithm)


def make_image(name: str = "image", *, algorithm: str = "sha256", **members: object) -> Image:
    config = json.dumps({"architecture": "amd64", "os": "linux", "made-for": name}).encode()
    layers = [f"{name}: layer {number}".encode() for number in range(2)]
    document: dict[str, object] = {
        "mediaType": OCI_MANIFEST,
        "config": describe(config, CONFIG, algorithm),
        "layers": [describe(layer, LAYER, algorithm) for layer in layers],
    }
    blobs = {Digest.of(content, algorithm): content for content in (config, *layers)}
    return Image((make_manifest(document | members, algorithm),), blobs)


def make_index(*images: Image, **members: object) -> Image:
    children = [describe(image.root.raw, image.root.media_type) for image in images]
    document: dict[str, object] = {"mediaType": OCI_INDEX, "manifests": children}
    root = make_manifest(document | members)
    below = (manifest for image in images for manifest in image.manifests)
    blobs = {digest: content for image in images for digest, content in image.blobs.items()}
    return Image((*below, root), blobs)


def store(layout: Layout, image: Image, reference: str | None = None) -> None:
    """Put an image into a layout as a copy does: blobs, manifests, the root under its name."""
    for descriptor, content in image.descriptors():
        upload = layout.start_upload(descriptor)
        if upload is not None:
            upload.send(iter([content]))
    for manifest in image.manifests[:-1]:
        layout.put_manifest(manifest, manifest.digest)
    layout.put_manifest(image.root, reference or image.root.digest)


def assert_whole_layout(path: Path) -> None:
    """Check that `path` is a valid layout: all that is reachable is there, and all is itself."""
    assert json.loads((path / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    for file in (path / "blobs").glob("*/*"):
        assert hashlib.new(file.parent.name, file.read_bytes()).hexdigest() == file.name
    waiting = json.loads((path / "index.json").read_text())["manifests"]
    while waiting:
        entry = waiting.pop()
        content = (path / "blobs" / entry["digest"].replace(":", "/")).read_bytes()
        assert len(content) == entry["size"]
        if entry["mediaType"] in {OCI_INDEX, OCI_MANIFEST}:
            document = json.loads(content)
            below = [*document.get("manifests", ()), *document.get("layers", ())]
            waiting += [*below, document["config"]] if "config" in document else below
