"""Blobs that came with a content coding: decoded, or taken as they are if they are gzip files."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

from regimport.errors import BrokenTransfer, ContentMismatch, RegistryError
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Verifier
from regimport.redact import safe_text
from regimport.transport.answers import Answer
from regimport.transport.codings import UnknownCoding, decode
from regimport.transport.heads import coding_of

__all__ = ["decoded"]


def decoded(
    head: Answer, blob: Descriptor, pieces: Iterator[bytes], on_mismatch: Callable[[], None]
) -> Iterator[bytes]:
    """Yield the decoded bytes of a blob.

    Call `on_mismatch` before an error that says that what was decoded is not the blob: it may be a
    gzip file, labelled so, which is right as it comes. Raise `ContentMismatch` for that,
    `RegistryError` for a coding that is not known, and `BrokenTransfer` for what is not valid.
    """
    coding = coding_of(head.headers)
    verifier = Verifier(blob.digest, blob.size)
    try:
        for content in decode(coding, pieces):
            if blob.has_size:
                verifier.update(content)
            yield content
        if blob.has_size:
            verifier.check()
    except ContentMismatch as error:
        error.lasting = False
        on_mismatch()
        raise
    except UnknownCoding as error:
        raise RegistryError(
            f"blob {blob.digest} was served with Content-Encoding {safe_text(coding, 40)}, "
            "which was not asked for",
            hint="a proxy compresses the answers; exempt the registry from that",
            status=head.status,
        ) from error
    except zlib.error as error:
        if not verifier.received:
            on_mismatch()
        raise BrokenTransfer(
            f"blob {blob.digest} was served as {coding}, but is not valid {coding}: {error}"
        ) from error
