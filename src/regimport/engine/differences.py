"""The differences that verification found, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from regimport.errors import ContentMismatch, NotFound, RegimportError, Side
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.values import dataclass

__all__ = ["Difference", "Flaw", "Part", "ReadBack", "Verification"]

# How many differences an error names; a report has them all.
_NAMED = 20


class Flaw(StrEnum):
    """In which way something differs from the image."""

    MISSING = "missing"
    DIGEST = "digest"
    SIZE = "size"
    TAG = "tag"


class Part(StrEnum):
    """Which part of an image differs."""

    TAG = "tag"
    MANIFEST = "manifest"
    CONFIG = "config"
    LAYER = "layer"


@dataclass(frozen=True, slots=True)
class Difference:
    """A part of an image that differs, or is missing; `name` is its tag or digest.

    `expected` and `got` are digests, or sizes in words; `got` is None for what is missing.
    `manifest` is the manifest that names it, `platform` that manifest's; None where there is none.
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
        """Return the difference in words, on a single line."""
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
    """What was read of an image at one end; `bytes_read` are bytes of blobs.

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
        """0 if there are no differences, 5 if parts are missing, 7 if any part is wrong."""
        return _exit_code(self.differences)

    def failure(self) -> RegimportError | None:
        """Return the error that names the differences, None if there are none."""
        if not self.differences:
            return None
        lines = [f"  {difference}" for difference in self.differences[:_NAMED]]
        if len(self.differences) > _NAMED:
            lines.append(f"  and {len(self.differences) - _NAMED} more")
        message = "\n".join(["verification failed", *lines])
        hint = (
            "the registry, or a cache in front of it, serves something else than it was given; "
            "`repair` sends what is missing or wrong anew"
        )
        if self.exit_code == NotFound.exit_code:
            return NotFound(message, hint=hint).located(self.side, self.name)
        return ContentMismatch(message, hint=hint).located(self.side, self.name)

    def for_tag(self, tag: str | None) -> ReadBack:
        """Return it without the differences of other tags."""
        kept = [item for item in self.differences if item.what is not Part.TAG or item.name == tag]
        return replace(self, differences=tuple(kept))


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of `verify`: what was read at both ends, or at the target alone.

    `source` and `target` are pinned by digest; `duration` is in seconds.
    """

    source: str
    target: str
    root: Descriptor
    ends: tuple[ReadBack, ...]
    duration: float

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The differences at all ends."""
        return tuple(item for end in self.ends for item in end.differences)

    @property
    def exit_code(self) -> int:
        """0 if there are no differences, 5 if parts are missing, 7 if any part is wrong."""
        return _exit_code(self.differences)


def _exit_code(differences: Sequence[Difference]) -> int:
    if not differences:
        return 0
    missing = all(item.flaw is Flaw.MISSING for item in differences)
    return NotFound.exit_code if missing else ContentMismatch.exit_code
