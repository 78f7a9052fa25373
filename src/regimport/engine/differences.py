"""What was found out by reading an image back, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from regimport.errors import ContentMismatch, NotFound, RegimportError, Side
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest

__all__ = ["Difference", "Flaw", "Part", "ReadBack", "Verification"]

# How many differences an error names; a report has them all.
_NAMED = 20


class Flaw(StrEnum):
    """In which way something is not as it must be."""

    MISSING = "missing"
    DIGEST = "digest"
    SIZE = "size"
    TAG = "tag"


class Part(StrEnum):
    """What of an image is not as it must be."""

    TAG = "tag"
    MANIFEST = "manifest"
    CONFIG = "config"
    LAYER = "layer"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it must be, named by a tag or a digest in `name`.

    `expected` and `got` are digests, or sizes in words; `got` is None for what is missing.
    `manifest` is what names it, `platform` the one it is for, both None where there is none.
    """

    side: Side
    flaw: Flaw
    what: Part
    name: str
    expected: str
    got: str | None = None
    manifest: Digest | None = None
    platform: str | None = None

    def __str__(self) -> str:
        """Say it in one line."""
        subject = f"{self.side}: {self.what} {self.name}"
        if self.platform:
            subject += f" of {self.platform}"
        if self.flaw is Flaw.MISSING:
            return f"{subject} is missing"
        if self.flaw is Flaw.TAG:
            return f"{subject} points to {self.got}, not {self.expected}"
        if self.flaw is Flaw.SIZE:
            return f"{subject} has {self.got}, not {self.expected}"
        return f"{subject} has other content, which hashes to {self.got}"


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What came of reading an image at one end; `bytes_read` are those of blobs.

    `skipped` are foreign layers that the end does not hold, and need not.
    """

    side: Side
    name: str
    manifests: int = 0
    blobs: int = 0
    skipped: int = 0
    bytes_read: int = 0
    differences: tuple[Difference, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 if all is as it must be, 5 if something is missing, 7 if something is wrong."""
        return _exit_code(self.differences)

    def failure(self) -> RegimportError | None:
        """Give the error that says what is not as it must be, None if all is."""
        if not self.differences:
            return None
        lines = [f"  {difference}" for difference in self.differences[:_NAMED]]
        if len(self.differences) > _NAMED:
            lines.append(f"  and {len(self.differences) - _NAMED} more")
        message = "\n".join(["what was read back is not what it must be", *lines])
        hint = "the registry, or a cache in front of it, serves something else than it was given"
        if self.exit_code == NotFound.exit_code:
            return NotFound(message, hint=hint).located(self.side, self.name)
        return ContentMismatch(message, hint=hint).located(self.side, self.name)

    def for_tag(self, tag: str | None) -> ReadBack:
        """Leave out what is told of other tags."""
        kept = [one for one in self.differences if one.what is not Part.TAG or one.name == tag]
        return replace(self, differences=tuple(kept))


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of reading an image at both ends, or at the target alone.

    `source` and `target` are pinned by digest; `duration` is in seconds.
    """

    source: str
    target: str
    root: Descriptor
    ends: tuple[ReadBack, ...]
    duration: float

    @property
    def differences(self) -> tuple[Difference, ...]:
        """All that is not as it must be."""
        return tuple(one for end in self.ends for one in end.differences)

    @property
    def exit_code(self) -> int:
        """0 if all is as it must be, 5 if something is missing, 7 if something is wrong."""
        return _exit_code(self.differences)


def _exit_code(differences: Sequence[Difference]) -> int:
    if not differences:
        return 0
    missing = all(one.flaw is Flaw.MISSING for one in differences)
    return NotFound.exit_code if missing else ContentMismatch.exit_code
