"""Every error regimport raises, each with the exit code of the command line.

    RegimportError            1
    ├── UsageError            2   InvalidReference, InvalidOptions, InvalidConfig
    ├── InvalidManifest       1
    ├── LimitExceeded         3   violations
    ├── RegistryError         1   method, url, status, codes
    │   ├── AccessDenied      4
    │   ├── NotFound          5
    │   ├── RateLimited       8   retry_after
    │   └── TagExists         9
    ├── Unreachable           6   attempts
    │   └── BrokenTransfer    6
    ├── ContentMismatch       7   expected, got
    ├── DeadlineExceeded      1   seconds
    └── Interrupted         130 / 143

An error carries facts; colour and layout are the command line's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Self

__all__ = [
    "AccessDenied",
    "BrokenTransfer",
    "ContentMismatch",
    "DeadlineExceeded",
    "Interrupted",
    "InvalidConfig",
    "InvalidManifest",
    "InvalidOptions",
    "InvalidReference",
    "LimitExceeded",
    "NotFound",
    "RateLimited",
    "RegimportError",
    "RegistryError",
    "Side",
    "TagExists",
    "Unreachable",
    "UsageError",
]


class Side(StrEnum):
    """Which end of a copy an error or an event speaks of."""

    SOURCE = "source"
    TARGET = "target"


class RegimportError(Exception):
    """The root of all errors.

    `message` says what happened, `hint` what the user can do about it. `side`, `registry` and
    `repository` say where, as far as that is known; the ends of a copy add them while the error
    passes through.
    """

    exit_code: int = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        side: Side | None = None,
        registry: str | None = None,
        repository: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.side = side
        self.registry = registry
        self.repository = repository

    def located(self, side: Side | None, name: str) -> Self:
        """Say that this happened at `name`, `registry/repository` or `oci:path`.

        An error that says where it happened already stays as it is. Gives the error itself.
        """
        if self.registry is None:
            registry, _, repository = name.partition("/")
            layout = name.startswith("oci:")
            self.side = side
            self.registry, self.repository = (name, None) if layout else (registry, repository)
        return self

    def because(self, reason: str | None) -> Self:
        """Add what may have led to this, once, on a line of its own. Gives the error itself."""
        if reason and reason not in self.message:
            self.message = f"{self.message}\n  {reason}"
            self.args = (self.message,)
        return self


class UsageError(RegimportError):
    """What the caller asked for cannot be meant: exit code 2."""

    exit_code = 2


class InvalidReference(UsageError, ValueError):
    """A text that is no reference, digest, tag or platform."""


class InvalidOptions(UsageError, ValueError):
    """Options that contradict each other or are out of range."""


class InvalidConfig(UsageError, ValueError):
    """A configuration or credentials file that cannot be read."""


class InvalidManifest(RegimportError):
    """Bytes that are no manifest, or one that cannot be copied safely."""


class LimitExceeded(RegimportError):
    """The image is over a limit; nothing was written. `violations` lists every offender."""

    exit_code = 3

    def __init__(self, violations: Sequence[str], *, hint: str | None = None) -> None:
        self.violations = tuple(violations)
        message = "the image exceeds a limit; nothing was written\n" + "\n".join(
            f"  {violation}" for violation in self.violations
        )
        super().__init__(message, hint=hint)


class RegistryError(RegimportError):
    """A registry answered that it will not or cannot do what was asked.

    `method` and `url` (redacted) are the request, `status` the HTTP status of the answer, `codes`
    the registry's own error codes (OCI distribution specification, "Error codes"), and `digests`
    those that it names in their details.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str | None = None,
        url: str | None = None,
        status: int | None = None,
        codes: Sequence[str] = (),
        digests: Sequence[str] = (),
        hint: str | None = None,
        side: Side | None = None,
        registry: str | None = None,
        repository: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, side=side, registry=registry, repository=repository)
        self.method = method
        self.url = url
        self.status = status
        self.codes = tuple(codes)
        self.digests = tuple(digests)


class AccessDenied(RegistryError):
    """Authentication or authorization was refused: exit code 4."""

    exit_code = 4


class NotFound(RegistryError):
    """The source image, or the target repository, does not exist: exit code 5."""

    exit_code = 5


class RateLimited(RegistryError):
    """The registry asks to wait longer than allowed: exit code 8. `retry_after` is in seconds."""

    exit_code = 8
    retry_after: float | None = None


class TagExists(RegistryError):
    """The target tag exists and may not be overwritten: exit code 9."""

    exit_code = 9


class Unreachable(RegimportError):
    """A registry could not be reached, or kept failing; `attempts` requests were made: exit 6.

    `status` is that of the last answer, None if none came.
    """

    exit_code = 6

    def __init__(
        self,
        message: str,
        *,
        attempts: int = 1,
        status: int | None = None,
        hint: str | None = None,
        side: Side | None = None,
        registry: str | None = None,
        repository: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, side=side, registry=registry, repository=repository)
        self.attempts = attempts
        self.status = status


class BrokenTransfer(Unreachable):
    """A blob stopped moving half-way: its registry went away, or lost the upload.

    Unlike its parent it was not tried again yet; who moves blobs decides on that. `adapted` says
    that what stood in the way is understood, and the next attempt will go about it in another way.
    """

    adapted: bool = False


class ContentMismatch(RegimportError):
    """A digest or a size is not what it must be: exit code 7.

    `lasting` says that asking again would not help.
    """

    exit_code = 7
    lasting: bool = False

    def __init__(
        self,
        message: str,
        *,
        expected: str | None = None,
        got: str | None = None,
        hint: str | None = None,
        side: Side | None = None,
        registry: str | None = None,
        repository: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, side=side, registry=registry, repository=repository)
        self.expected = expected
        self.got = got


class DeadlineExceeded(RegimportError):
    """The run took longer than the `seconds` it was given; what is finished stays: exit code 1."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the deadline of {seconds:g} seconds has passed; what is finished stays at the target",
            hint="run the same command again to go on from there, or give it a longer --deadline",
        )
        self.seconds = seconds


class Interrupted(RegimportError):
    """The run was stopped by a signal; what is finished stays. Exit code 128 + the signal."""

    exit_code = 130

    def __init__(self, signal_number: int = 2) -> None:
        name = "interrupted" if signal_number == 2 else "terminated"
        super().__init__(
            f"{name}; what is finished stays at the target",
            hint="run the same command again to go on from there",
        )
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number
