"""What a copy tells while it runs. The engine tells; who listens decides what to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from regimport.errors import Side
from regimport.models.descriptor import Descriptor

__all__ = [
    "BlobFinished",
    "BlobStarted",
    "BytesMoved",
    "Checking",
    "Event",
    "ManifestPut",
    "Planned",
    "Reporter",
    "Resolved",
    "Retrying",
    "Silent",
    "Warned",
]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The source was resolved to `root`."""

    source: str
    root: Descriptor


@dataclass(frozen=True, slots=True)
class Planned:
    """What will be done is known: `blobs` and `size` bytes to move, `manifests` to put."""

    blobs: int
    size: int
    manifests: int


@dataclass(frozen=True, slots=True)
class Checking:
    """What was written, or is compared, will be read back: `blobs` with `size` bytes in all."""

    blobs: int
    size: int


@dataclass(frozen=True, slots=True)
class BlobStarted:
    """A blob begins to move, or to move again; its first `done` bytes are at the targets.

    `side` is where it is read from: the target, where what is there is read back.
    """

    blob: Descriptor
    done: int = 0
    side: Side = Side.SOURCE


@dataclass(frozen=True, slots=True)
class BytesMoved:
    """`count` more bytes of a blob came from the source, or whichever `side` is read."""

    blob: Descriptor
    count: int
    side: Side = Side.SOURCE


@dataclass(frozen=True, slots=True)
class BlobFinished:
    """A blob is at `target`: `outcome` is copied, mounted, present or failed.

    Where blobs are read back, it is checked, different, missing or skipped.
    """

    blob: Descriptor
    outcome: str
    target: str
    side: Side = Side.SOURCE


@dataclass(frozen=True, slots=True)
class ManifestPut:
    """A manifest is stored at `target`, under `reference`."""

    manifest: Descriptor
    target: str
    reference: str


@dataclass(frozen=True, slots=True)
class Retrying:
    """Something failed and will be tried again after `delay` seconds."""

    side: Side | None
    what: str
    cause: str
    attempt: int
    attempts: int
    delay: float


@dataclass(frozen=True, slots=True)
class Warned:
    """Something the user should know, which does not stop the copy."""

    message: str


Event: TypeAlias = (
    Resolved
    | Planned
    | Checking
    | BlobStarted
    | BytesMoved
    | BlobFinished
    | ManifestPut
    | Retrying
    | Warned
)


class Reporter(Protocol):
    """Listens to a copy; `tell` is called from several threads at once and must not block."""

    def tell(self, event: Event) -> None:
        """Take notice of an event."""


class Silent:
    """A reporter that shows nothing."""

    def tell(self, event: Event) -> None:
        """Ignore the event."""
