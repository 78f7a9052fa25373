"""A bound on how fast a run reads, all its workers together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from regimport.engine.ends import Source, SourceWrapper
from regimport.models.descriptor import Descriptor
from regimport.models.manifest import Manifest

__all__ = ["Bucket", "Throttled"]

# How much of a second may be made up for after a pause in which nothing was read.
_SAVED = 0.25
# In how many steps a second of reading is done, so that the target always gets something.
_STEPS = 4


class Bucket:
    """A token bucket that fills with `rate` bytes a second; threads share it.

    A reader takes tokens for what it has read, even if there are too few, and then waits for them.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._paid_until = clock()

    def take(self, count: int) -> float:
        """Take tokens for `count` bytes; return how many seconds to wait before going on."""
        with self._lock:
            now = self._clock()
            self._paid_until = max(self._paid_until, now - _SAVED) + count / self.rate
            return max(0.0, self._paid_until - now)


class Throttled(SourceWrapper):
    """A source that is read no faster than its bucket allows; `pause` waits, or raises.

    What has no content costs no tokens.
    """

    def __init__(self, source: Source, bucket: Bucket, pause: Callable[[float], None]) -> None:
        super().__init__(source)
        self._bucket = bucket
        self._pause = pause

    def get_manifest(self, reference: str) -> Manifest:
        """Read a manifest."""
        manifest = self._source.get_manifest(reference)
        self._pause(self._bucket.take(len(manifest.raw)))
        return manifest

    @contextmanager
    def read_blob(self, blob: Descriptor, start: int = 0) -> Iterator[Iterator[bytes]]:
        """Open a blob; its bytes come in small pieces, with pauses between them."""
        with self._source.read_blob(blob, start) as pieces:
            yield self._slowly(pieces)

    def _slowly(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        step = max(1, int(self._bucket.rate / _STEPS))
        for piece in pieces:
            for start in range(0, len(piece), step):
                part = piece[start : start + step]
                self._pause(self._bucket.take(len(part)))
                yield part
