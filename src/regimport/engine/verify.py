"""Reads an image back: hashes every manifest, config and layer, and notes what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from regimport.engine.budget import Budget
from regimport.engine.differences import Difference, Flaw, Part, ReadBack
from regimport.engine.ends import Source
from regimport.engine.reading import BlobReader
from regimport.engine.retrying import RetryContext
from regimport.engine.sizes import measured
from regimport.engine.target import Status, TargetCopy
from regimport.engine.tasks import Task
from regimport.engine.walk import visit_levels
from regimport.engine.workers import Workers
from regimport.errors import ContentMismatch, NotFound, RegimportError, Side
from regimport.events import BlobFinished, Checking
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.mediatype import is_foreign_layer
from regimport.values import dataclass, field

__all__ = ["Place", "read_back", "verify_targets"]


@dataclass(frozen=True, slots=True)
class Place:
    """An end to be read, and the tags that must point to the image there."""

    end: Source
    side: Side
    tags: tuple[str, ...] = ()


def read_back(places: Sequence[Place], root: Descriptor, retry: RetryContext) -> list[ReadBack]:
    """Read all that is under `root` at each place, hash it, and return what was found.

    What differs is a value, and no error; an error that keeps a registry from answering is
    raised. Below a manifest that an end does not have, nothing is looked for there: no client
    gets that far.
    """
    inventories = [_take_inventory(place, root, retry.workers) for place in places]
    wanted = [(inventory, item) for inventory in inventories for item in inventory.blobs]
    size = sum(max(0, item.descriptor.size) for _, item in wanted)
    retry.reporter.tell(Checking(len(wanted), size))

    def task(number: int, inventory: _Inventory, item: _Item) -> Task:
        return Task(number, lambda: inventory.check_blob(item, retry), weight=item.descriptor.size)

    retry.workers.run(task(number, *pair) for number, pair in enumerate(wanted))
    return [inventory.result() for inventory in inventories]


def verify_targets(
    targets: Sequence[TargetCopy],
    ends: Mapping[str, Source],
    root: Descriptor,
    retry: RetryContext,
) -> list[TargetCopy]:
    """Read back the targets that did not fail, each repository once.

    `ends` are the repositories by name, open for reading. Return the targets with what was found;
    a target that cannot be read has failed.
    """
    good = [target for target in targets if target.error is None]
    found: dict[str, ReadBack | RegimportError] = {}
    for name in dict.fromkeys(target.name for target in good):
        tags = [tag for target in good if target.name == name for tag in target.tags]
        place = Place(ends[name], Side.TARGET, tuple(dict.fromkeys(tags)))
        try:
            (found[name],) = read_back([place], root, retry)
        except RegimportError as error:
            if retry.workers.stop.is_set():
                raise
            found[name] = error
    return [
        target if target.error is not None else _verified(target, found[target.name])
        for target in targets
    ]


def _verified(target: TargetCopy, found: ReadBack | RegimportError) -> TargetCopy:
    if isinstance(found, RegimportError):
        return replace(target, status=Status.FAILED, error=found)
    return replace(target, verification=found)


@dataclass(frozen=True, slots=True)
class _Item:
    """A manifest or blob to be read, and the manifest that names it."""

    what: Part
    descriptor: Descriptor
    parent: Digest | None = None
    platform: str | None = None


@dataclass(slots=True)
class _Inventory:
    """What is to be read at one place, and what was found there."""

    place: Place
    budget: Budget = field(default_factory=Budget)
    manifests: int = 0
    blobs: list[_Item] = field(default_factory=list)
    # Written by several threads, each with a single append.
    received: list[int] = field(default_factory=list)
    skipped: list[_Item] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    def check_tag(self, tag: str, root: Descriptor) -> None:
        """Read what a tag points to."""
        try:
            got = self.place.end.get_manifest(tag).digest
        except NotFound:
            self._note(Flaw.MISSING, _Item(Part.TAG, root), tag)
            return
        if got != root.digest:
            self._note(Flaw.TAG, _Item(Part.TAG, root), tag, root.digest, got)

    def read_manifest(self, item: _Item) -> Manifest | None:
        """Read a manifest, checked against its digest; None if it is missing or differs."""
        wanted = item.descriptor
        try:
            self.budget.check()
            manifest = self.budget.spend(self.place.end.get_manifest(wanted.digest))
        except NotFound:
            self._note(Flaw.MISSING, item)
            return None
        except ContentMismatch as error:
            self._mismatch(item, error)
            return None
        got = manifest.descriptor.size
        if item.parent is not None and wanted.has_size and got != wanted.size:
            self._note(Flaw.SIZE, item, None, f"{wanted.size} bytes", f"{got} bytes")
        return manifest

    def check_blob(self, item: _Item, retry: RetryContext) -> None:
        """Read a blob to its end; wrong content is read once more before that counts."""
        blob = item.descriptor
        reader: BlobReader | None = None
        outcome = "checked"
        try:
            blob = measured(self.place.end, blob)
            reader = BlobReader(blob, self.place.end, retry, self.place.side)
            try:
                _exhaust(reader)
            except ContentMismatch:
                reader.forget()
                _exhaust(reader)
        except NotFound:
            if is_foreign_layer(blob.media_type):
                outcome = "skipped"
                self.skipped.append(item)
            else:
                outcome = "missing"
                self._note(Flaw.MISSING, item)
        except ContentMismatch as error:
            outcome = "different"
            self._mismatch(item, error)
        self.received.append(0 if reader is None else reader.received)
        retry.reporter.tell(BlobFinished(blob, outcome, self.place.end.name, self.place.side))

    def result(self) -> ReadBack:
        """Return what was found; differences in the order of the image."""
        order = list(Part)
        return ReadBack(
            self.place.side,
            self.place.end.name,
            self.manifests,
            len(self.blobs),
            len(self.skipped),
            sum(self.received),
            tuple(sorted(self.differences, key=lambda item: (order.index(item.what), item.name))),
        )

    def _mismatch(self, item: _Item, error: ContentMismatch) -> None:
        flaw = Flaw.DIGEST if error.expected == item.descriptor.digest else Flaw.SIZE
        self._note(flaw, item, None, error.expected, error.got)

    def _note(
        self,
        flaw: Flaw,
        item: _Item,
        name: str | None = None,
        expected: str | None = None,
        got: str | None = None,
    ) -> None:
        self.differences.append(
            Difference(
                self.place.side,
                flaw,
                item.what,
                name or item.descriptor.digest,
                expected or item.descriptor.digest,
                got,
                item.parent,
                item.platform,
            )
        )


def _take_inventory(place: Place, root: Descriptor, workers: Workers) -> _Inventory:
    """Read the tags and, level by level, the manifests of a place."""
    inventory = _Inventory(place)
    workers.map(lambda tag: inventory.check_tag(tag, root), place.tags)
    platform = str(root.platform) if root.platform else None
    items = {root.digest: _Item(Part.MANIFEST, root, None, platform)}
    blobs: dict[tuple[Digest, int], _Item] = {}

    def read(level: Sequence[Descriptor]) -> Iterator[Manifest]:
        wanted = [items[descriptor.digest] for descriptor in level]
        for item, manifest in zip(
            wanted, workers.map(inventory.read_manifest, wanted), strict=True
        ):
            if manifest is None:
                continue
            inventory.manifests += 1
            for blob in _blobs(manifest, item):
                blobs.setdefault((blob.descriptor.digest, blob.descriptor.size), blob)
            for child in manifest.manifests:
                items.setdefault(child.digest, _child(child, manifest))
            yield manifest

    visit_levels(root, read, place.side, place.end.name)
    inventory.blobs = list(blobs.values())
    return inventory


def _child(descriptor: Descriptor, parent: Manifest) -> _Item:
    platform = str(descriptor.platform) if descriptor.platform else None
    return _Item(Part.MANIFEST, descriptor, parent.digest, platform)


def _blobs(manifest: Manifest, item: _Item) -> Iterator[_Item]:
    if manifest.config is not None:
        yield _Item(Part.CONFIG, manifest.config, manifest.digest, item.platform)
    for layer in manifest.layers:
        yield _Item(Part.LAYER, layer, manifest.digest, item.platform)


def _exhaust(reader: BlobReader) -> None:
    for _ in reader.pieces():
        pass
