"""Content codings, which nobody asked for, undone within bounds (RFC 9110, section 8.4)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

__all__ = ["UnknownCoding", "decode"]

# So many bytes tell the two forms of deflate apart.
_START = 2
_GZIP = frozenset({"gzip", "x-gzip"})
# The first byte of a gzip member (RFC 1952, section 2.3.1): several may follow each other.
_MEMBER = b"\x1f"
# The most to decode at once, in bytes: the encoded form may be a thousand times smaller.
_PIECE = 256 * 1024
# How many encoded bytes may stand for nothing. No encoder makes content twice as long, but for a
# head; empty blocks and padding would go on for ever otherwise.
_IDLE_BYTES = 64 * 1024


class UnknownCoding(ValueError):
    """A content coding that cannot be undone; its text is the coding's name."""


def decode(coding: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what encoded pieces stand for: those of gzip or deflate; no bytes are no bytes in any.

    Raise `UnknownCoding`, `zlib.error` for what is not valid, and what the pieces raise.
    """
    decoder: _Decoder | None = None
    start = b""
    for piece in pieces:
        start += bytes(piece)
        if len(start) < _START and decoder is None:
            continue
        decoder = decoder or _decoder(coding, start)
        yield from decoder.content(start)
        start = b""
    if start:
        decoder = _decoder(coding, start)
        yield from decoder.content(start)
    if decoder is not None and not decoder.ended:
        raise zlib.error("it ends too soon")


class _Decoder:
    """Decodes a stream; `ended` is whether it may end here."""

    def __init__(self, window: int, *, members: bool) -> None:
        self._window = window
        self._members = members
        self._stream = zlib.decompressobj(window)
        self._taken = 0
        self._given = 0

    @property
    def ended(self) -> bool:
        return self._stream.eof

    def content(self, left: bytes) -> Iterator[bytes]:
        """Yield what the next bytes stand for."""
        while left:
            if self._stream.eof and not (left := self._behind_the_end(left)):
                return
            before = len(left)
            content = self._stream.decompress(left, _PIECE)
            left = self._stream.unused_data or self._stream.unconsumed_tail
            self._note(before - len(left), len(content))
            while content:
                yield content
                # What was taken in may stand for more than fits at once.
                more = len(content) == _PIECE and not left
                content = self._stream.decompress(b"", _PIECE) if more else b""
                self._note(0, len(content))

    def _behind_the_end(self, left: bytes) -> bytes:
        """Start the next member, or take padding; raise `zlib.error` for anything else."""
        padding = len(left) - len(left.lstrip(b"\0"))
        self._note(padding, 0)
        left = left[padding:]
        if not left:
            return left
        if not self._members or not left.startswith(_MEMBER):
            raise zlib.error("there are bytes behind its end")
        self._stream = zlib.decompressobj(self._window)
        return left

    def _note(self, taken: int, given: int) -> None:
        self._taken += taken
        self._given += given
        if self._taken > 2 * self._given + _IDLE_BYTES:
            raise zlib.error("too many of its bytes stand for nothing")


def _decoder(coding: str, start: bytes) -> _Decoder:
    """Return a decoder; deflate comes with zlib's head, or without (RFC 9110, section 8.4.1.2)."""
    if coding in _GZIP:
        return _Decoder(zlib.MAX_WBITS | 16, members=True)
    if coding != "deflate":
        raise UnknownCoding(coding)
    method_and_check = int.from_bytes(start[:_START], "big")
    has_head = start[0] & 0x0F == zlib.DEFLATED and method_and_check % 31 == 0
    return _Decoder(zlib.MAX_WBITS if has_head else -zlib.MAX_WBITS, members=False)
