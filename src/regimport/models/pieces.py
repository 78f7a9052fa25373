"""Streams of bytes in pieces."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["without_first"]


def without_first(count: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a stream without its first `count` bytes."""
    for piece in pieces:
        if count < len(piece):
            yield piece[count:] if count else piece
        count = max(0, count - len(piece))
