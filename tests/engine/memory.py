"""Ends in memory, which count what they are asked."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from regimport.engine.target import TargetCopy
from regimport.errors import ContentMismatch, NotFound
from regimport.events import Event
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.reference import Reference
from support.images import Image


class Memory:
    """A repository in memory, that takes nothing whose parts are missing.

    It mounts blobs from its `neighbours`, by the names of their repositories.
    """

    def __init__(self, name: str = "memory.example/x", piece: int = 7) -> None:
        self.neighbours: dict[str, Memory] = {}
        self._name = name
        self._piece = piece
        self._lock = threading.Lock()
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, Manifest] = {}
        self.by_tag: dict[str, Digest] = {}
        self.asked: Counter[str] = Counter()
        self.order: list[str] = []
        self.states_sizes = True
        self.has_api = True

    @property
    def name(self) -> str:
        return self._name

    def count(self, what: str) -> None:
        with self._lock:
            self.asked[what] += 1

    def head_manifest(self, reference: str) -> Descriptor | None:
        self.count(f"HEAD {reference}")
        found = self.manifests.get(self.by_tag.get(reference, reference))
        return None if found is None else found.descriptor

    def find_tag(self, tag: str) -> Descriptor | None:
        return self.head_manifest(tag)

    def get_manifest(self, reference: str) -> Manifest:
        self.count(f"GET {reference}")
        found = self.manifests.get(self.by_tag.get(reference, reference))
        if found is None:
            raise NotFound(f"no {reference}")
        return found

    def has_blob(self, blob: Descriptor) -> bool:
        self.count(f"HAS {blob.digest}")
        return len(self.blobs.get(blob.digest, b"-" * (blob.size + 1))) == blob.size

    def blob_size(self, digest: Digest) -> int | None:
        self.count(f"SIZE {digest}")
        found = self.blobs.get(digest)
        return None if found is None or not self.states_sizes else len(found)

    @contextmanager
    def read_blob(self, blob: Descriptor, start: int = 0) -> Iterator[Iterator[bytes]]:
        self.count(f"GET {blob.digest}")
        content = self.blobs[blob.digest]
        step = self._piece
        yield (content[at : at + step] for at in range(start, len(content), step))

    def start_upload(
        self, blob: Descriptor, *, mount_from: str | None = None, anew: bool = False
    ) -> MemoryUpload | None:
        neighbour = self.neighbours.get(mount_from or "")
        if neighbour is not None and blob.digest in neighbour.blobs:
            self.count(f"MOUNT {blob.digest}")
            self.blobs[blob.digest] = neighbour.blobs[blob.digest]
            return None
        return MemoryUpload(self, blob)

    def commit(self) -> None:
        """Everything is visible at once."""

    def points_to(self, manifest: Manifest, reference: str) -> bool:
        found = self.head_manifest(reference)
        return found is not None and found.digest == manifest.digest

    def put_manifest(self, manifest: Manifest, reference: str) -> bool:
        with self._lock:
            for blob in manifest.blobs():
                assert blob.digest in self.blobs, f"{blob.digest} is missing"
            for child in manifest.manifests:
                assert child.digest in self.manifests, f"{child.digest} is missing"
            self.manifests[manifest.digest] = manifest
            self.order.append(reference)
            if ":" not in reference:
                self.by_tag[reference] = manifest.digest
        return manifest.subject is None or self.has_api

    def referrers(
        self, subject: Digest, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...] | None:
        self.count(f"REFERRERS {subject}")
        found = [m for m in self.manifests.values() if m.subject and m.subject.digest == subject]
        return tuple(manifest.descriptor for manifest in found) if self.has_api else None

    def peek_referrers(self, subject: Digest) -> list[str]:
        return []

    def tag_pages(self) -> Iterator[list[str]]:
        self.count("TAGS")
        yield list(self.by_tag)


class MemoryUpload:
    """A blob on its way into memory."""

    def __init__(self, end: Memory, blob: Descriptor) -> None:
        self._end = end
        self._blob = blob

    def send(self, content: Iterator[bytes]) -> None:
        received = b"".join(bytes(piece) for piece in content)
        if Digest.of(received, self._blob.digest.algorithm) != self._blob.digest:
            raise ContentMismatch("other bytes")
        self._end.count(f"PUT {self._blob.digest}")
        self._end.blobs[self._blob.digest] = received

    offset = 0

    def recover(self) -> bool:
        return False

    def leave(self) -> None:
        self.cancel()

    def cancel(self) -> None:
        self._end.count(f"CANCEL {self._blob.digest}")


def stored(image: Image, name: str = "source.example/x") -> Memory:
    end = Memory(name)
    end.blobs.update(image.blobs)
    for media_type, raw in image.manifests.values():
        manifest = Manifest.parse(raw, media_type)
        end.manifests[manifest.digest] = manifest
    return end


class Told:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def tell(self, event: Event) -> None:
        self.events.append(event)


def root_of(image: Image) -> Descriptor:
    """The descriptor of an image's root."""
    return Manifest.parse(image.raw, image.media_type).descriptor


def copy_to(target: Memory, *tags: str) -> TargetCopy:
    """The copy of an image to a repository in memory, under the tags."""
    references = tuple(Reference.parse(f"{target.name}:{tag}") for tag in tags or ("tag",))
    return TargetCopy(target, references)
