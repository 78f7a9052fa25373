"""Content codings: decoding blobs that a proxy has compressed on the way."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from regimport.errors import BrokenTransfer, RegistryError
from regimport.models.descriptor import Descriptor
from regimport.redact import safe_text
from regimport.transport.answers import Answer

__all__ = ["decoded", "is_encoded"]

_GZIP = frozenset({"gzip", "x-gzip"})
# The most to decode at once, in bytes: the encoded form may be a thousand times smaller.
_PIECE = 256 * 1024


def is_encoded(head: Answer, blob: Descriptor) -> bool:
    """Return whether a blob was sent with a content coding (RFC 9110, section 8.4).

    A body as long as the blob is not encoded: some storage labels blobs that are gzip files.
    """
    coding = head.headers.get("content-encoding", "identity").strip().lower()
    return coding != "identity" and head.headers.get("content-length") != str(blob.size)


def decoded(head: Answer, blob: Descriptor, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Return the decoded bytes of a blob.

    Raise `RegistryError` for a coding other than gzip, `BrokenTransfer` if it is not valid gzip.
    """
    coding = head.headers["content-encoding"].strip().lower()
    if coding not in _GZIP:
        raise RegistryError(
            f"blob {blob.digest} was served with Content-Encoding {safe_text(coding, 40)}, "
            "which was not asked for",
            hint="a proxy compresses the answers; exempt the registry from that",
            status=head.status,
        )
    return _inflated(blob, pieces)


def _inflated(blob: Descriptor, pieces: Iterator[bytes]) -> Iterator[bytes]:
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        for piece in pieces:
            left: bytes = piece
            while left and not stream.eof:
                if content := stream.decompress(left, _PIECE):
                    yield content
                left = stream.unconsumed_tail
    except zlib.error as error:
        raise BrokenTransfer(
            f"blob {blob.digest} was served as gzip, but is not valid gzip: {error}"
        ) from error
