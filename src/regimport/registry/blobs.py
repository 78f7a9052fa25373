"""Blobs at a registry: asked for and read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from regimport.errors import ContentMismatch, RegistryError, Side
from regimport.models.descriptor import Descriptor
from regimport.redact import safe_text
from regimport.registry.access import Access
from regimport.registry.request import Request
from regimport.registry.responses import error_of

__all__ = ["has_blob", "read_blob"]


def has_blob(access: Access, blob: Descriptor) -> bool:
    """Ask whether a blob is there, whole.

    Only an answer that agrees with the descriptor counts: some registries say yes to anything.
    A target that forbids the question is taken not to have it.
    """
    answer = access.ask("HEAD", f"blobs/{blob.digest}")
    if answer.ok:
        length: str = answer.headers.get("content-length", str(blob.size))
        digest: str = answer.headers.get("docker-content-digest", blob.digest)
        return length == str(blob.size) and digest == blob.digest
    refused = answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    if refused and (access.session.side is Side.SOURCE or access.session.refused):
        raise error_of(answer)
    return False


@contextmanager
def read_blob(access: Access, blob: Descriptor) -> Iterator[Iterator[bytes]]:
    """Open a blob; gives its bytes, unchecked, piece by piece as they come."""
    request = Request("GET", f"{access.repository}/blobs/{blob.digest}", access.scopes)
    with access.session.stream(request) as (head, pieces):
        coding = head.headers.get("content-encoding", "identity")
        if coding != "identity":
            raise RegistryError(
                f"blob {blob.digest} was served with Content-Encoding {safe_text(coding, 40)}, "
                "which was not asked for",
                hint="a proxy on the way compresses; let it pass registry traffic untouched",
                status=head.status,
            )
        length = head.headers.get("content-length")
        if length is not None and length != str(blob.size):
            raise ContentMismatch(
                f"blob {blob.digest} has {safe_text(length, 20)} bytes, "
                f"but its descriptor says {blob.size}",
                expected=f"{blob.size} bytes",
                got=f"{safe_text(length, 20)} bytes",
            )
        yield pieces
