"""Reads an image back: every manifest, config and layer, hashed, and what is not as it must be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from regimport.engine.differences import Difference, Flaw, Part, ReadBack
from regimport.engine.ends import Source
from regimport.engine.reading import BlobReader, Patience
from regimport.engine.report import Status, TargetReport
from regimport.engine.walk import MAX_DEPTH, MAX_MANIFESTS
from regimport.engine.workers import Task, Workers
from regimport.errors import (
    ContentMismatch,
    InvalidManifest,
    NotFound,
    RegimportError,
    Side,
)
from regimport.events import BlobFinished, Checking, Reporter
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.manifest import Manifest
from regimport.models.mediatype import is_foreign_layer
from regimport.options import RetryPolicy

__all__ = ["Place", "read_back", "verify_targets"]


@dataclass(frozen=True, slots=True)
class Place:
    """An end to be read, and the tags that must point to the image there."""

    end: Source
    side: Side
    tags: tuple[str, ...] = ()


def read_back(
    places: Sequence[Place],
    root: Descriptor,
    workers: Workers,
    reporter: Reporter,
    retry: RetryPolicy,
) -> list[ReadBack]:
    """Read all that is under `root` at each place, and hash it; gives what came of it.

    What differs is a value, and no error; what keeps a registry from answering is raised. Below a
    manifest that an end does not have, nothing is looked for there: no client gets that far.
    """
    inventories = [_take_inventory(place, root, workers) for place in places]
    wanted = [(one, item) for one in inventories for item in one.blobs]
    reporter.tell(Checking(len(wanted), sum(item.descriptor.size for _, item in wanted)))
    patience = Patience(retry, workers, reporter)

    def task(number: int, inventory: _Inventory, item: _Item) -> Task:
        return Task(
            number, lambda: inventory.check_blob(item, patience), weight=item.descriptor.size
        )

    workers.run(task(number, *pair) for number, pair in enumerate(wanted))
    return [one.result() for one in inventories]


def verify_targets(
    reports: Sequence[TargetReport],
    ends: Sequence[Source],
    root: Descriptor,
    workers: Workers,
    reporter: Reporter,
    retry: RetryPolicy,
) -> tuple[TargetReport, ...]:
    """Read the targets of a copy back, those that did not fail, each repository once.

    `ends[n]` is where report `n` is about. Gives the reports, in which what differs, or cannot be
    read, is a failure.
    """
    pairs = list(zip(reports, ends, strict=True))
    read: dict[str, ReadBack | RegimportError] = {}
    for name, end in {end.name: end for report, end in pairs if report.error is None}.items():
        tags = [report.tag for report, one in pairs if one.name == name and report.error is None]
        place = Place(end, Side.TARGET, tuple(dict.fromkeys(tag for tag in tags if tag)))
        try:
            (read[name],) = read_back([place], root, workers, reporter, retry)
        except RegimportError as error:
            if workers.stop.is_set():
                raise
            read[name] = error
    return tuple(_verified(report, read.get(end.name)) for report, end in pairs)


def _verified(report: TargetReport, reading: ReadBack | RegimportError | None) -> TargetReport:
    if report.error is not None or reading is None:
        return report
    if isinstance(reading, RegimportError):
        return replace(report, status=Status.FAILED, error=reading)
    own = reading.for_tag(report.tag)
    error = own.failure()
    status = report.status if error is None else Status.FAILED
    return replace(report, status=status, error=error, verification=own)


@dataclass(frozen=True, slots=True)
class _Item:
    """A manifest or blob to be read, and what names it."""

    what: Part
    descriptor: Descriptor
    parent: Digest | None = None
    platform: str | None = None


@dataclass(slots=True)
class _Inventory:
    """What is to be read at one place, and what was found out about it."""

    place: Place
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
        """Read a manifest, checked against its digest; None if it is not as it must be."""
        wanted = item.descriptor
        try:
            manifest = self.place.end.get_manifest(wanted.digest)
        except NotFound:
            self._note(Flaw.MISSING, item)
            return None
        except ContentMismatch as error:
            self._mismatch(item, error)
            return None
        got = manifest.descriptor.size
        if item.parent is not None and got != wanted.size:
            self._note(Flaw.SIZE, item, None, f"{wanted.size} bytes", f"{got} bytes")
        return manifest

    def check_blob(self, item: _Item, patience: Patience) -> None:
        """Read a blob to its end; one that is wrong is read once more before that counts."""
        blob = item.descriptor
        reader = BlobReader(blob, self.place.end, patience, self.place.side)
        outcome = "checked"
        try:
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
        self.received.append(reader.received)
        patience.reporter.tell(BlobFinished(blob, outcome, self.place.end.name, self.place.side))

    def result(self) -> ReadBack:
        """Give what came of it; differences in the order of the image."""
        order = list(Part)
        return ReadBack(
            self.place.side,
            self.place.end.name,
            self.manifests,
            len(self.blobs),
            len(self.skipped),
            sum(self.received),
            tuple(sorted(self.differences, key=lambda one: (order.index(one.what), one.name))),
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
    blobs: dict[tuple[Digest, int], _Item] = {}
    seen = {root.digest}
    level = [_Item(Part.MANIFEST, root, None, str(root.platform) if root.platform else None)]
    for _ in range(MAX_DEPTH):
        children: list[_Item] = []
        for item, manifest in zip(level, workers.map(inventory.read_manifest, level), strict=True):
            if manifest is None:
                continue
            inventory.manifests += 1
            for blob in _blobs(manifest, item):
                blobs.setdefault((blob.descriptor.digest, blob.descriptor.size), blob)
            children += [_child(one, manifest) for one in manifest.manifests]
        level = [one for one in children if one.descriptor.digest not in seen]
        level = list({one.descriptor.digest: one for one in level}.values())
        seen.update(one.descriptor.digest for one in level)
        if len(seen) > MAX_MANIFESTS:
            raise InvalidManifest(f"the image names more than {MAX_MANIFESTS} manifests")
        if not level:
            inventory.blobs = list(blobs.values())
            return inventory
    raise InvalidManifest(f"the image nests indexes more than {MAX_DEPTH} deep")


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
