"""How large the requests of an upload may be, as a registry has shown it; and cutting streams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import ceil
from typing import cast

from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest

__all__ = ["CHUNK", "LARGE", "Chunking", "Cutter"]

# Blobs of at least LARGE bytes go up in two chunks or more, of about CHUNK bytes each, so that an
# upload which breaks has something to go on from. Each chunk costs a round trip in which nothing
# goes up: these cost less than half a percent of the time on a line of 40 ms and 400 Mbit/s.
LARGE = 512 * 1024**2
CHUNK = 512 * 1024**2
# What is tried first, in bytes, where a proxy refuses a body as too large (the lowest limit that
# is common is 100 MB), and the least that is worth trying: some storage takes no smaller parts.
_BELOW_COMMON_LIMITS = 90 * 1024**2
_LEAST = 5 * 1024**2
# Registries that take a blob in one piece only, or in very small ones, by the end of their names.
_WHOLE_ONLY = ("ghcr.io", "gcr.io", "pkg.dev")


class Chunking:
    """What one repository takes in one request: all of a blob, or a chunk of it.

    Threads share it; what one learns, the others need not find out.
    """

    def __init__(self, registry: str) -> None:
        host = registry.partition(":")[0]
        self._large = not any(host == end or host.endswith(f".{end}") for end in _WHOLE_ONLY)
        self._limit: int | None = None
        self._breaks: Counter[Digest] = Counter()
        self.takes_chunks = True
        self.proven = False

    def chunk(self, blob: Descriptor, least: int) -> int | None:
        """Give the size of a blob's chunks, None to send it whole.

        `least` is what the registry asks for with `OCI-Chunk-Min-Length`, 0 if nothing.
        """
        if not self.takes_chunks:
            return None
        if self._limit is not None and blob.size > self._limit:
            return max(self._limit, least)
        if not self._large or blob.size < LARGE:
            return None
        # All of one size: a small rest would cost a round trip of its own.
        return max(ceil(blob.size / max(2, blob.size // CHUNK)), least)

    def too_large(self, size: int, least: int) -> bool:
        """Take note that a body of `size` bytes was too large; False if none smaller would do."""
        smaller = max(_LEAST, min(_BELOW_COMMON_LIMITS, size // 2))
        if not self.takes_chunks or size <= max(_LEAST, least):
            return False
        self._limit = min(smaller, self._limit or smaller)
        return True

    def broke(self, blob: Descriptor) -> None:
        """Take note that the connection broke while a whole blob was sent.

        Some proxies say nothing else about a body that is too large for them.
        """
        self._breaks[blob.digest] += 1
        if self._breaks[blob.digest] == 2:
            self.too_large(blob.size, 0)

    def refused(self) -> bool:
        """Take note that a chunk was refused for no good reason; False if that is nothing new.

        A registry that has taken chunks before has rather lost this one upload.
        """
        if self.proven or self._limit is not None or not self.takes_chunks:
            return False
        self.takes_chunks = False
        return True


class Cutter:
    """Cuts a stream of bytes into parts of given sizes; `taken` counts what it gave."""

    def __init__(self, content: Iterator[bytes]) -> None:
        self.taken = 0
        self._content = content
        self._rest = memoryview(b"")

    def part(self, size: int) -> Iterator[bytes]:
        """Give the next `size` bytes."""
        while size:
            piece = self._rest or memoryview(next(self._content, b""))
            if not piece:
                return
            now, self._rest = piece[:size], piece[size:]
            size -= len(now)
            self.taken += len(now)
            # Typed as bytes: what sends it takes any buffer.
            yield cast("bytes", now)

    def finish(self) -> None:
        """Run to the end of the stream, which has given all it had."""
        for _ in self._content:
            pass
