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
    ├── Unreachable           6   attempts, status
    │   └── BrokenTransfer    6
    ├── ContentMismatch       7   expected, got
    ├── DeadlineExceeded      1   seconds
    └── Interrupted         130 / 143

An error carries facts; the command line chooses colour and layout. Errors can be pickled, and
two are equal if they have the same type, message and attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Self

from regimport.secrets_sent import SENT

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
    """The end of a copy that an error or an event is about."""

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
        # Whatever a message quotes, it shows no secret.
        self.message = SENT.removed_from(message, words=False)
        super().__init__(self.message)
        self.hint = hint
        self.side = side
        self.registry = registry
        self.repository = repository

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.args == other.args and vars(self) == vars(other)

    def __hash__(self) -> int:
        # An error may still be completed, by its place for example: only its type never changes.
        return hash(type(self))

    def __reduce__(self) -> tuple[Callable[..., RegimportError], tuple[object, ...]]:
        # By default an exception is unpickled by calling its class with `args` alone.
        return _restored, (type(self), self.args, vars(self))

    def located(self, side: Side | None, name: str) -> Self:
        """Add where this happened, `registry/repository` or `oci:path`, and return the error.

        An error that has a place already keeps it.
        """
        if self.registry is None:
            registry, _, repository = name.partition("/")
            on_disk = name.startswith(("oci:", "oci-archive:", "docker-archive:"))
            self.side = side
            self.registry, self.repository = (name, None) if on_disk else (registry, repository)
        return self

    def because(self, reason: str | None) -> Self:
        """Add a possible reason, once, on a line of its own, and return the error."""
        if reason and reason not in self.message:
            reason = SENT.removed_from(reason, words=False)
            self.message = f"{self.message}\n  {reason}"
            self.args = (self.message,)
        return self


def _restored(
    kind: type[RegimportError], args: Sequence[object], attributes: Mapping[str, object]
) -> RegimportError:
    error = kind.__new__(kind, *args)
    vars(error).update(attributes)
    return error


class UsageError(RegimportError):
    """The caller asked for something that is not valid: exit code 2."""

    exit_code = 2


class InvalidReference(UsageError, ValueError):
    """A text that is not a valid reference, digest, tag or platform."""


class InvalidOptions(UsageError, ValueError):
    """Options that contradict each other or are out of range."""


class InvalidConfig(UsageError, ValueError):
    """A configuration or credentials file that cannot be read or used."""


class InvalidManifest(RegimportError):
    """Bytes that are not a manifest, or a manifest that cannot be copied safely."""


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
    """A registry refused a request, or failed at it.

    `method` and `url` (redacted) are the request, `status` the HTTP status of the answer, `codes`
    the registry's own error codes (OCI distribution specification, "Error codes"), and `digests`
    the digests in their details.
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
    """The source image, or the target repository, does not exist: exit code 5.

    `images` are the names and digests of those that a layout or archive has, where none was chosen.
    """

    exit_code = 5
    images: Sequence[tuple[str | None, str]] = ()


class RateLimited(RegistryError):
    """The registry asks for a longer wait than is allowed: exit code 8.

    `retry_after` is in seconds, None if the registry did not say.
    """

    exit_code = 8
    retry_after: float | None = None


class TagExists(RegistryError):
    """The target tag exists and may not be overwritten: exit code 9."""

    exit_code = 9


class Unreachable(RegimportError):
    """A registry could not be reached, or kept failing: exit code 6.

    `attempts` is how many requests were made; the command line shows it if there were several.
    `status` is that of the last answer, None if there was none.
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
    """A blob was interrupted half-way: the registry went away, or lost the upload session.

    Unlike its parent it has not been retried; the transfer of blobs decides about that. `adapted`
    is True if the cause is understood and the next attempt will send the blob differently.
    """

    adapted: bool = False


class ContentMismatch(RegimportError):
    """Content has another digest or size than its descriptor says: exit code 7.

    `lasting` is True if asking again would not help.
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
            hint="run the same command again to go on from there, or give it a longer `deadline`",
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
