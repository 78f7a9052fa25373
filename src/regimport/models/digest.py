"""Digests, which name content; every `Digest` has been checked when it was made."""

from __future__ import annotations

import hashlib
import re
from typing import Protocol, Self

from regimport.errors import ContentMismatch, InvalidReference

__all__ = ["Digest", "Hasher", "Verifier"]

# OCI image specification, descriptor.md, "Digests": the two registered algorithms. Anything else
# could neither be verified nor be put safely into a URL or a path.
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}")


class Hasher(Protocol):
    """The part of a hashlib object that is used here."""

    def copy(self) -> Self:
        """Return a copy that has hashed the same bytes."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Hash the next bytes."""

    def hexdigest(self) -> str:
        """Return the hash so far, in lower-case hexadecimal digits."""


class Digest(str):
    """A valid digest, `sha256:<64 hex>` or `sha512:<128 hex>`; it is a string.

    Raise `InvalidReference` for any other text, so that a `Digest` is safe in URLs and paths.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check `text` and return it as a digest."""
        if isinstance(text, cls):
            return text
        if _DIGEST.fullmatch(text) is None:
            raise InvalidReference(
                f"invalid digest {text[:160]!r}",
                hint="write sha256: and 64, or sha512: and 128, lower-case hexadecimal digits",
            )
        return super().__new__(cls, text)

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> Digest:
        """Return the digest of `content`."""
        return cls(f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}")

    @property
    def algorithm(self) -> str:
        """The part before the colon: `sha256` or `sha512`."""
        return self.partition(":")[0]

    @property
    def encoded(self) -> str:
        """The part after the colon: the hash in hexadecimal digits."""
        return self.partition(":")[2]

    def hasher(self) -> Hasher:
        """Return a new hash object for this digest's algorithm."""
        return hashlib.new(self.algorithm)


class Verifier:
    """Hashes and counts a stream, and checks at its end that it has the expected size and digest.

    Where the first `unseen` bytes could not be hashed, it can only count.
    """

    __slots__ = ("_hasher", "digest", "received", "size", "unseen")

    def __init__(self, digest: Digest, size: int, unseen: int = 0) -> None:
        self.digest = digest
        self.size = size
        self.received = unseen
        self.unseen = unseen
        self._hasher = digest.hasher()

    def copy(self) -> Verifier:
        """Return a copy in the same state."""
        other = Verifier(self.digest, self.size, self.unseen)
        other.received = self.received
        other._hasher = self._hasher.copy()
        return other

    @property
    def complete(self) -> bool:
        """Whether as many bytes have been received as the descriptor says."""
        return self.received == self.size

    def update(self, data: bytes | memoryview) -> None:
        """Hash the next bytes, or raise `ContentMismatch` once there are more than `size`."""
        self.received += len(data)
        if self.received > self.size:
            raise self.too_long(f"at least {self.received} bytes")
        if not self.unseen:
            self._hasher.update(data)

    def too_long(self, got: str) -> ContentMismatch:
        """Return the error for a stream that is longer than its descriptor says."""
        error = ContentMismatch(
            f"{self.digest} is longer than the {self.size} bytes its descriptor says",
            expected=f"{self.size} bytes",
            got=got,
        )
        error.lasting = True
        return error

    def check(self) -> None:
        """Raise `ContentMismatch` unless all bytes were received and hash to the digest."""
        if not self.complete:
            raise ContentMismatch(
                f"{self.digest} ended after {self.received} of {self.size} bytes",
                expected=f"{self.size} bytes",
                got=f"{self.received} bytes",
            )
        actual = f"{self.digest.algorithm}:{self._hasher.hexdigest()}"
        if not self.unseen and actual != self.digest:
            raise ContentMismatch(
                f"the content of {self.digest} hashes to {actual}",
                expected=self.digest,
                got=actual,
            )
