"""Large documents, of which one is read and parsed at a time.

Read as JSON, a document takes up to thirty times its size in memory. Many threads read manifests at
once, and somebody else decides how large these are: only small ones are read side by side.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["LARGE_BYTES", "begin_large", "one_large", "too_many_values"]

# From this size on a document waits for the others, in bytes. Manifests are smaller by far; what
# some thirty threads may hold of smaller ones, as JSON, is about 100 MiB.
LARGE_BYTES = 128 * 1024


class _Held(threading.local):
    """What this thread holds: `depth` counts the blocks that it is in."""

    depth = 0
    large = False


_ONE = threading.Lock()
_HELD = _Held()


@contextmanager
def one_large() -> Iterator[None]:
    """Read and parse a document in this block, alone if `begin_large` is called in it.

    Blocks within each other are one.
    """
    _HELD.depth += 1
    try:
        yield
    except BaseException:
        # It may be asked for again, after a pause: others need not wait for that.
        _end()
        raise
    finally:
        _HELD.depth -= 1
        if not _HELD.depth:
            _end()


def begin_large() -> None:
    """Wait until no other thread has a large document, in a block of `one_large`."""
    if _HELD.depth and not _HELD.large:
        _ONE.acquire()
        _HELD.large = True


def _end() -> None:
    if _HELD.large:
        _give_back()
        _HELD.large = False
        _ONE.release()


def _give_back() -> None:
    """Return memory that is free again to the system, where the C library can.

    That of glibc keeps it for the thread that used it, and each thread may have used some.
    """
    # Imported where a large document was read: there is hardly ever one.
    import ctypes  # noqa: PLC0415

    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def too_many_values(raw: bytes, most: int) -> bool:
    """Whether a JSON document may have more than `most` values, without parsing it.

    Each value but the first follows a comma or a bracket; those in texts are counted, too.
    """
    return len(raw) > most and sum(map(raw.count, (b",", b"[", b"{"))) > most
