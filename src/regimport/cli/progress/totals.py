"""How far a copy is: the blobs that move, and how much of all of them has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from regimport.cli.progress.speed import Speed
from regimport.errors import Side
from regimport.events import (
    BlobFinished,
    BlobStarted,
    BytesMoved,
    Checking,
    Event,
    ImageFinished,
    Importing,
    ManifestPut,
    OfImage,
    Planned,
    ReadingManifests,
    Resolved,
)
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest

__all__ = ["STALLED", "MovingBlob", "Totals"]

# After so many seconds without a byte a blob, or the whole copy, is called stalled.
STALLED = 5.0

# A verification reads the same blob at both sides.
_Key: TypeAlias = tuple[str | None, Side, Digest]


@dataclass(slots=True)
class MovingBlob:
    """A blob that is moving: `moved` of its bytes are at the targets, the last since `moved_at`."""

    blob: Descriptor
    moved: int
    speed: Speed
    started_at: float
    moved_at: float

    @property
    def complete(self) -> bool:
        """Whether all of it was read; the target may not have confirmed it yet."""
        return self.moved >= self.blob.size


class Totals:
    """Adds the events of a copy up. `now` is the time of a clock, in seconds."""

    def __init__(self, now: float) -> None:
        self.source: str | None = None
        self.importing: Importing | None = None
        self.imported_from = now
        self.manifests_to_read = 0
        self.manifests = 0
        self.manifests_put = 0
        self.checking = False
        self.planned = False
        self.moving: dict[_Key, MovingBlob] = {}
        self.images = 0
        self.images_finished = 0
        self._blobs = self._size = 0
        self._reset(now, 0, 0)

    def take(self, event: Event, now: float) -> None:
        """Count an event; those of several images are added up."""
        image: str | None = None
        if isinstance(event, OfImage):
            image, event = event.image, event.event
        if isinstance(event, Importing):
            self.importing, self.imported_from = event, now - event.seconds
        elif isinstance(event, ImageFinished):
            self.images_finished, self.images = event.finished, event.images
        elif image is not None and isinstance(event, (Planned, Checking)):
            self._blobs, self._size = self._blobs + event.blobs, self._size + event.size
            self.manifests += event.manifests if isinstance(event, Planned) else 0
            self.planned = True
        elif isinstance(event, Resolved):
            self.source = event.source
        elif isinstance(event, ReadingManifests):
            self.manifests_to_read += event.count
        elif isinstance(event, (Planned, Checking)):
            self._begin(event, now)
        elif isinstance(event, ManifestPut):
            self.manifests_put += 1
        elif isinstance(event, (BlobStarted, BytesMoved, BlobFinished)):
            self._take_blob(event, (image, event.side, event.blob.digest), now)

    def _begin(self, event: Planned | Checking, now: float) -> None:
        self._reset(now, event.blobs, event.size)
        self.planned = True
        if isinstance(event, Planned):
            self.manifests = event.manifests
        else:
            self.checking = True

    def import_line(self, now: float) -> str | None:
        """Return how long the target has been importing, None if it is not."""
        if self.importing is None:
            return None
        seconds = now - self.imported_from
        return f"{self.importing.target} is importing the image: {seconds:.0f} s"

    def _reset(self, now: float, blobs: int, size: int) -> None:
        self._blobs, self._size = blobs, size
        self._moved: dict[_Key, int] = {}
        self._sizes: dict[_Key, int] = {}
        self._finished: set[_Key] = set()
        self.speed = Speed(now)
        self.moved_at = now
        self.moving.clear()

    def _take_blob(
        self, event: BlobStarted | BytesMoved | BlobFinished, key: _Key, now: float
    ) -> None:
        blob = event.blob
        if isinstance(event, BlobFinished):
            self.moving.pop(key, None)
            if event.outcome not in {"failed", "mounted"}:
                # Found at the target when its upload was to start, it has not moved.
                self._moved[key] = self._sizes[key] = blob.size
                self._finished.add(key)
            return
        self._sizes[key] = blob.size
        self.moved_at = now
        if isinstance(event, BlobStarted):
            known = self.moving.get(key)
            speed = Speed(now) if known is None else known.speed
            started = now if known is None else known.started_at
            self.moving[key] = MovingBlob(blob, event.done, speed, started, now)
            self._moved[key] = event.done
        elif key in self.moving:
            moving = self.moving[key]
            moving.moved += event.count
            moving.moved_at = now
            moving.speed.add(now, event.count)
            self.speed.add(now, event.count)
            self._moved[key] = moving.moved

    @property
    def blobs(self) -> int:
        """How many blobs move in all; one that could not be mounted was not planned to."""
        return max(self._blobs, len(self._sizes))

    @property
    def size(self) -> int:
        """How many bytes move in all."""
        return max(self._size, sum(self._sizes.values()))

    @property
    def moved(self) -> int:
        """How many bytes have moved; those of a blob that is sent again count once."""
        return sum(self._moved.values())

    @property
    def finished(self) -> int:
        """How many blobs have moved."""
        return len(self._finished)

    @property
    def waiting(self) -> int:
        """How many blobs have not started to move."""
        return max(0, self.blobs - len(self._moved))
