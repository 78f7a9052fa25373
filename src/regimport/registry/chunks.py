"""How large the requests of an upload may be, learned from a registry's answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import ceil
from typing import cast

from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest

__all__ = ["CHUNK", "LARGE", "Chunking", "Cutter"]

# Blobs of at least LARGE bytes are uploaded in two or more chunks of about CHUNK bytes each, so
# that an interrupted upload can be continued. Each chunk costs a round trip in which nothing is
# sent: less than half a percent of the time on a line of 40 ms and 400 Mbit/s.
LARGE = 512 * 1024**2
CHUNK = 512 * 1024**2
# The first size to try, in bytes, if a proxy refuses a body as too large (the lowest common limit
# is 100 MB), and the smallest: some storage accepts no smaller parts.
_BELOW_COMMON_LIMITS = 90 * 1024**2
_LEAST = 5 * 1024**2
# Registries that accept blobs only whole, or in very small chunks, by the end of their names.
_WHOLE_ONLY = ("ghcr.io", "gcr.io", "pkg.dev")


class Chunking:
    """What one repository accepts in one request: a whole blob, or a chunk of some size.

    It is shared by threads: what one of them learns, the others use.
    """

    def __init__(self, registry: str) -> None:
        host = registry.partition(":")[0]
        self._large = not any(host == end or host.endswith(f".{end}") for end in _WHOLE_ONLY)
        self._limit: int | None = None
        self._breaks: Counter[Digest] = Counter()
        self.takes_chunks = True
        self.proven = False

    def chunk(self, blob: Descriptor, least: int) -> int | None:
        """Return the size of a blob's chunks in bytes, None to send it whole.

        `least` is the registry's `OCI-Chunk-Min-Length`, 0 if it sent none.
        """
        if not self.takes_chunks:
            return None
        if self._limit is not None and blob.size > self._limit:
            return max(self._limit, least)
        if not self._large or blob.size < LARGE:
            return None
        # All of equal size: a small rest would cost another round trip.
        return max(ceil(blob.size / max(2, blob.size // CHUNK)), least)

    def too_large(self, size: int, least: int) -> bool:
        """Record that a body of `size` bytes was too large; return whether to try a smaller one."""
        smaller = max(_LEAST, min(_BELOW_COMMON_LIMITS, size // 2))
        if not self.takes_chunks or size <= max(_LEAST, least):
            return False
        self._limit = min(smaller, self._limit or smaller)
        return True

    def broke(self, blob: Descriptor) -> None:
        """Record that the connection broke while a whole blob was sent.

        That is how some proxies refuse a body that is too large for them.
        """
        self._breaks[blob.digest] += 1
        if self._breaks[blob.digest] == 2:
            self.too_large(blob.size, 0)

    def refused(self) -> bool:
        """Record that a chunk was refused; return whether the blob should be sent whole instead.

        A registry that accepted chunks before has more likely lost this one upload.
        """
        if self.proven or self._limit is not None or not self.takes_chunks:
            return False
        self.takes_chunks = False
        return True


class Cutter:
    """Cuts a stream of bytes into parts of given sizes; `taken` counts the bytes so far."""

    def __init__(self, content: Iterator[bytes]) -> None:
        self.taken = 0
        self._content = content
        self._rest = memoryview(b"")

    def part(self, size: int) -> Iterator[bytes]:
        """Yield the next `size` bytes."""
        while size:
            piece = self._rest or memoryview(next(self._content, b""))
            if not piece:
                return
            now, self._rest = piece[:size], piece[size:]
            size -= len(now)
            self.taken += len(now)
            # Typed as bytes, though the transport accepts any buffer.
            yield cast("bytes", now)

    def finish(self) -> None:
        """Read the stream to its end, where its source checks what it has sent."""
        for _ in self._content:
            pass
