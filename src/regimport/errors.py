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

An error carries facts; colour and layout are the command line's business. Errors can be pickled,
and are equal if they are of the same class and carry the same facts.
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
    """Which end of a copy an error or an event is about."""

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

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        # Facts are added while an error passes through, and its hash must stay.
        return hash(type(self))

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), self.args, self.__dict__)

    def located(self, side: Side | None, name: str) -> Self:
        """Note that this happened at `name`, `registry/repository` or `oci:path`.

        An error that says already where it happened stays as it is. Return the error itself.
        """
        if self.registry is None:
            registry, _, repository = name.partition("/")
            layout = name.startswith("oci:")
            self.side = side
            self.registry, self.repository = (name, None) if layout else (registry, repository)
        return self

    def because(self, reason: str | None) -> Self:
        """Add a likely reason, once, on a line of its own. Return the error itself."""
        if reason and reason not in self.message:
            self.message = f"{self.message}\n  {reason}"
            self.args = (self.message,)
        return self


def _restore(
    kind: type[RegimportError], args: tuple[object, ...], facts: dict[str, object]
) -> RegimportError:
    """Return the error that was pickled; its own constructor would make up another message."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(facts)
    return error


class UsageError(RegimportError):
    """The caller asked for something that is not valid: exit code 2."""

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

    Unlike its parent it was not tried again yet: the engine decides on that. `adapted` says that
    the cause is known, and that the next attempt will avoid it.
    """

    adapted: bool = False


class ContentMismatch(RegimportError):
    """Content has another digest or size than its descriptor says: exit code 7.

    `lasting` says that reading it again would not help.
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
