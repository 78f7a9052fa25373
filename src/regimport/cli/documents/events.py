"""The lines that `--progress json` prints, one JSON object each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import ConfigDict, Field

from regimport import events
from regimport.cli.documents.base import SCHEMA_VERSION, Document, ErrorDocument
from regimport.errors import RegimportError
from regimport.models.descriptor import Descriptor

__all__ = ["AnyLine", "failed", "finished", "line_of", "logged"]

_Side: TypeAlias = Literal["source", "target"]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Line(Document):
    """What all lines have."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_serialization_defaults_required=True
    )

    schema_version: Literal["1"] = Field(
        default=SCHEMA_VERSION, description="Changes when a field changes its meaning."
    )
    time: str = Field(default_factory=_now, description="When it happened: RFC 3339, UTC.")
    image: str | None = Field(
        default=None,
        description="The source, where several images are copied; null for one image, and for what "
        "is about a registry that several share.",
    )


class ResolvedLine(Line):
    """The source was resolved."""

    event: Literal["Resolved"] = "Resolved"
    source: str
    root: str = Field(description="The digest of the image's manifest or index.")
    media_type: str
    size: int = Field(description="Bytes of that manifest.")


class ReadingManifestsLine(Line):
    """Manifests of the source will be read next."""

    event: Literal["ReadingManifests"] = "ReadingManifests"
    count: int


class ReferrersFoundLine(Line):
    """Signatures, SBOMs and attestations were found, which come along."""

    event: Literal["ReferrersFound"] = "ReferrersFound"
    count: int


class PlannedLine(Line):
    """The plan is made."""

    event: Literal["Planned"] = "Planned"
    blobs: int = Field(description="Blobs that will move.")
    size: int = Field(description="Bytes of these blobs.")
    manifests: int = Field(description="Manifests that will be put.")


class CheckingLine(Line):
    """An image will be read back and hashed."""

    event: Literal["Checking"] = "Checking"
    blobs: int
    size: int = Field(description="Bytes of these blobs.")


class BlobLine(Line):
    """What all lines about a blob have."""

    blob: str = Field(description="The digest of the blob.")
    media_type: str
    size: int = Field(description="Bytes of the blob.")
    platform: str | None = Field(description="Null if it is unknown, or several share the blob.")
    side: _Side = Field(description="Where the blob is read from.")


class BlobStartedLine(BlobLine):
    """A blob begins to move, or to move again."""

    event: Literal["BlobStarted"] = "BlobStarted"
    done: int = Field(description="Bytes that are at the targets already.")


class BytesMovedLine(BlobLine):
    """More bytes of a blob were read."""

    event: Literal["BytesMoved"] = "BytesMoved"
    count: int = Field(description="How many bytes more.")


class BlobFinishedLine(BlobLine):
    """A blob is at a target, or will not be."""

    event: Literal["BlobFinished"] = "BlobFinished"
    outcome: str = Field(
        description="copied, mounted, present or failed; in a verification checked, different, "
        "missing or skipped."
    )
    target: str = Field(description="The repository.")


class ManifestPutLine(Line):
    """A manifest is stored at a target."""

    event: Literal["ManifestPut"] = "ManifestPut"
    manifest: str = Field(description="The digest of the manifest.")
    media_type: str
    size: int = Field(description="Bytes of the manifest.")
    target: str = Field(description="The repository.")
    reference: str = Field(description="A tag, or the digest.")


class ImportingLine(Line):
    """The target is importing the image by itself."""

    event: Literal["Importing"] = "Importing"
    source: str
    target: str = Field(description="The registry.")
    seconds: float = Field(description="How long it has been doing so.")


class RetryingLine(Line):
    """Something failed, and will be tried again."""

    event: Literal["Retrying"] = "Retrying"
    side: _Side | None
    what: str
    cause: str
    attempt: int = Field(description="The number of the attempt that failed, from 1.")
    attempts: int = Field(description="How many there will be at most.")
    delay: float = Field(description="Seconds until the next attempt.")


class WarnedLine(Line):
    """Something that does not stop the copy."""

    event: Literal["Warned"] = "Warned"
    message: str


class ImageFinishedLine(Line):
    """One image of several is done."""

    event: Literal["ImageFinished"] = "ImageFinished"
    outcome: Literal["copied", "present", "planned", "failed"]
    finished: int = Field(description="How many images are done.")
    images: int = Field(description="How many images there are.")


class LoggedLine(Line):
    """With -vv: a line of the log, or a traceback."""

    event: Literal["Logged"] = "Logged"
    logger: str
    message: str


class FailedLine(Line):
    """The copy to a target has failed, or all of the command."""

    event: Literal["Failed"] = "Failed"
    error: ErrorDocument


class FinishedLine(Line):
    """The last line, whatever came of it."""

    event: Literal["Finished"] = "Finished"
    exit_code: int = Field(description="What the command exits with.")
    duration_seconds: float


AnyLine: TypeAlias = Annotated[
    ResolvedLine
    | ReadingManifestsLine
    | ReferrersFoundLine
    | PlannedLine
    | CheckingLine
    | BlobStartedLine
    | BytesMovedLine
    | BlobFinishedLine
    | ManifestPutLine
    | ImportingLine
    | RetryingLine
    | WarnedLine
    | ImageFinishedLine
    | LoggedLine
    | FailedLine
    | FinishedLine,
    Field(discriminator="event"),
]


_LINES: Mapping[type[events.Event], type[Line]] = {
    events.Resolved: ResolvedLine,
    events.ReadingManifests: ReadingManifestsLine,
    events.ReferrersFound: ReferrersFoundLine,
    events.Planned: PlannedLine,
    events.Checking: CheckingLine,
    events.BlobStarted: BlobStartedLine,
    events.BytesMoved: BytesMovedLine,
    events.BlobFinished: BlobFinishedLine,
    events.ManifestPut: ManifestPutLine,
    events.Importing: ImportingLine,
    events.Retrying: RetryingLine,
    events.Warned: WarnedLine,
    events.ImageFinished: ImageFinishedLine,
}


def line_of(event: events.Event) -> str:
    """Return the line of an event."""
    values: dict[str, object] = {}
    if isinstance(event, events.OfImage):
        values["image"], event = event.image, event.event
    for field in fields(event):
        value = getattr(event, field.name)
        if isinstance(value, Descriptor):
            values |= _described(field.name, value)
        else:
            values[field.name] = value
    return _LINES[type(event)].model_validate(values).model_dump_json()


def logged(logger: str, message: str) -> str:
    """Return the line of a record of the log."""
    return LoggedLine(logger=logger, message=message).model_dump_json()


def failed(error: RegimportError) -> str:
    """Return the line of an error."""
    return FailedLine(error=ErrorDocument.of(error)).model_dump_json()


def finished(exit_code: int, duration: float) -> str:
    """Return the last line; `duration` is in seconds."""
    line = FinishedLine(exit_code=exit_code, duration_seconds=round(duration, 3))
    return line.model_dump_json()


def _described(name: str, descriptor: Descriptor) -> Mapping[str, object]:
    values: dict[str, object] = {
        name: descriptor.digest,
        "media_type": descriptor.media_type,
        "size": descriptor.size,
    }
    if name == "blob":
        values["platform"] = None if descriptor.platform is None else str(descriptor.platform)
    return values
