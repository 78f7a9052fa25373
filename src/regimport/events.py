"""The events that a copy reports while it runs; a `Reporter` decides what to show of them."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from regimport.errors import Side
from regimport.models.descriptor import Descriptor
from regimport.values import dataclass

__all__ = [
    "BlobFinished",
    "BlobStarted",
    "BytesMoved",
    "Checking",
    "Event",
    "ImageFinished",
    "Importing",
    "ManifestPut",
    "OfImage",
    "Planned",
    "ReadingManifests",
    "ReferrersFound",
    "Reporter",
    "Resolved",
    "Retrying",
    "Silent",
    "Warned",
]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The source, a reference, was resolved to `root`."""

    source: str
    root: Descriptor


@dataclass(frozen=True, slots=True)
class ReadingManifests:
    """`count` manifests of the source will be read next; some registries count each as a pull."""

    count: int


@dataclass(frozen=True, slots=True)
class ReferrersFound:
    """`count` referrers of the image were found, which come along."""

    count: int


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan is made: `blobs` with `size` bytes in all will move, `manifests` will be put."""

    blobs: int
    size: int
    manifests: int


@dataclass(frozen=True, slots=True)
class Checking:
    """An image will be read back and hashed: `blobs` with `size` bytes in all."""

    blobs: int
    size: int


@dataclass(frozen=True, slots=True)
class BlobStarted:
    """A blob begins to move, or to move again; its first `done` bytes are at the targets.

    `side` is where it is read from: the target where an image is verified.
    """

    blob: Descriptor
    done: int = 0
    side: Side = Side.SOURCE


@dataclass(frozen=True, slots=True)
class BytesMoved:
    """`count` more bytes of a blob were read, at the source or whichever `side` it is."""

    blob: Descriptor
    count: int
    side: Side = Side.SOURCE


@dataclass(frozen=True, slots=True)
class BlobFinished:
    """A blob is at the repository `target`: `outcome` is copied, mounted, present or failed.

    Where an image is verified, `outcome` is checked, different, missing or skipped.
    """

    blob: Descriptor
    outcome: str
    target: str
    side: Side = Side.SOURCE


@dataclass(frozen=True, slots=True)
class ManifestPut:
    """A manifest is stored in the repository `target`, under `reference`: a tag or its digest."""

    manifest: Descriptor
    target: str
    reference: str


@dataclass(frozen=True, slots=True)
class Importing:
    """The registry `target` has been importing the image `source` for `seconds`, by itself."""

    source: str
    target: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Retrying:
    """Attempt number `attempt` of `attempts` failed; the next follows after `delay` seconds.

    `what` is the request, blob or manifest; `cause` the error in words.
    """

    side: Side | None
    what: str
    cause: str
    attempt: int
    attempts: int
    delay: float


@dataclass(frozen=True, slots=True)
class Warned:
    """`message` is something that the user should know, which does not stop the copy."""

    message: str


@dataclass(frozen=True, slots=True)
class ImageFinished:
    """One image of several is done, as number `finished` of `images`.

    `outcome` is copied, present, planned or failed.
    """

    outcome: str
    finished: int
    images: int


@dataclass(frozen=True, slots=True)
class OfImage:
    """An event of one image of several: `image` is its source in full.

    What is about a registry that several images share comes without it.
    """

    image: str
    event: Event


Event: TypeAlias = (
    Resolved
    | ReadingManifests
    | ReferrersFound
    | Planned
    | Checking
    | BlobStarted
    | BytesMoved
    | BlobFinished
    | ManifestPut
    | Importing
    | Retrying
    | Warned
    | ImageFinished
    | OfImage
)


class Reporter(Protocol):
    """Receives the events of a copy; `tell` is called by several threads and must not block."""

    def tell(self, event: Event) -> None:
        """Receive an event."""


class Silent:
    """A reporter that shows nothing."""

    def tell(self, event: Event) -> None:
        """Ignore the event."""
