"""Blobs at a registry: whether they exist, and reading them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http import HTTPStatus

from regimport.errors import ContentMismatch, RegistryError, Side, Unreachable
from regimport.models.descriptor import Descriptor
from regimport.models.digest import Digest
from regimport.models.pieces import without_first
from regimport.redact import safe_text
from regimport.registry.repository_client import RepositoryClient
from regimport.registry.request import Request
from regimport.transport.answers import Answer, error_of
from regimport.transport.heads import coding_of

__all__ = ["blob_size", "has_blob", "is_encoded", "is_other", "read_blob"]

# RFC 9110, section 14.4; an asterisk stands for an unknown total.
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19}|\*)")
_PLAIN: Mapping[str, str] = {}


def has_blob(client: RepositoryClient, blob: Descriptor) -> bool:
    """Return whether the registry has a blob, completely.

    Only an answer that agrees with the descriptor counts: some registries say yes to anything.
    A target that refuses the request, or fails, is taken not to have it: the upload will tell.
    """
    try:
        answer = client.ask("HEAD", f"blobs/{blob.digest}")
    except Unreachable as error:
        if client.session.side is Side.SOURCE or error.status is None:
            raise
        return False
    if answer.ok:
        if coding_of(answer.headers):
            # The length is that of what a proxy has made of the blob.
            at_source = client.session.side is Side.SOURCE
            return _is_named(answer, blob) or (at_source and not is_other(answer, blob))
        length: str = answer.headers.get("content-length", str(blob.size))
        return length == str(blob.size) and not is_other(answer, blob)
    refused = answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    if refused and (client.session.side is Side.SOURCE or client.session.refused):
        raise error_of(answer)
    return False


def blob_size(client: RepositoryClient, digest: Digest) -> int | None:
    """Return how many bytes a blob has; None if the answer to HEAD does not say."""
    answer = client.ask("HEAD", f"blobs/{digest}")
    length = answer.headers.get("content-length", "")
    plain = not coding_of(answer.headers)
    return int(length) if answer.ok and plain and length.isdecimal() else None


def _is_named(answer: Answer, blob: Descriptor) -> bool:
    """Return whether an answer says that it is about this blob."""
    return bool(answer.headers.get("docker-content-digest", "") == blob.digest)


def is_other(answer: Answer, blob: Descriptor) -> bool:
    """Return whether an answer is about another blob; a digest by another algorithm is ignored."""
    named = answer.headers.get("docker-content-digest", "")
    return named.startswith(f"{blob.digest.algorithm}:") and named != blob.digest


def is_encoded(head: Answer, blob: Descriptor) -> bool:
    """Return whether a blob was sent with a content coding (RFC 9110, section 8.4).

    A body as long as the blob is not encoded: some storage labels blobs that are gzip files.
    """
    return bool(coding_of(head.headers)) and head.headers.get("content-length") != str(blob.size)


@contextmanager
def read_blob(
    client: RepositoryClient, blob: Descriptor, start: int = 0
) -> Iterator[Iterator[bytes]]:
    """Open a blob; the iterator yields its bytes from `start` on, unchecked, as they arrive.

    A partial answer is used only if it is exactly the part that was requested. Otherwise the whole
    blob is read, and its first bytes are dropped.
    """
    with ExitStack() as stack:
        pieces = _rest(stack, client, blob, start) if start else None
        if pieces is None:
            stack.close()
            head, whole = stack.enter_context(client.session.stream(_get(client, blob)))
            whole = _checked(client, head, blob, whole)
            pieces = without_first(start, whole) if start else whole
        yield pieces


def _rest(
    stack: ExitStack, client: RepositoryClient, blob: Descriptor, start: int
) -> Iterator[bytes] | None:
    """Request the bytes from `start` on (RFC 9110, section 14.2); None if that is not possible."""
    request = _get(client, blob, {"Range": f"bytes={start}-"})
    try:
        head, pieces = stack.enter_context(client.session.stream(request))
    except RegistryError as error:
        if error.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return None
        raise
    if head.status == HTTPStatus.PARTIAL_CONTENT:
        return pieces if _is_rest(head, blob, start) else None
    try:
        whole = _checked(client, head, blob, pieces)
    except (ContentMismatch, RegistryError):
        return None
    return without_first(start, whole)


def _get(
    client: RepositoryClient, blob: Descriptor, headers: Mapping[str, str] = _PLAIN
) -> Request:
    return Request("GET", f"{client.repository}/blobs/{blob.digest}", client.scopes, headers)


def _is_rest(head: Answer, blob: Descriptor, start: int) -> bool:
    """Return whether a 206 is exactly the requested part, to the blob's end and not encoded."""
    match = _CONTENT_RANGE.fullmatch(head.headers.get("content-range", "").strip())
    if match is None or coding_of(head.headers):
        return False
    first, last, total = match.groups()
    return (
        int(first) == start
        and int(last) == blob.size - 1
        and total in {str(blob.size), "*"}
        and head.headers.get("content-length") in {None, str(blob.size - start)}
    )


def _checked(
    client: RepositoryClient, head: Answer, blob: Descriptor, pieces: Iterator[bytes]
) -> Iterator[bytes]:
    """Return a whole blob, decoded, or raise `ContentMismatch` if its length is wrong.

    A blob whose decoded bytes were another one is taken as it comes from then on.
    """
    if is_encoded(head, blob):
        labelled = client.session.labelled_gzip
        if blob.digest in labelled:
            return pieces
        # Imported where it is met: no registry should send it.
        from regimport.registry.codings import decoded  # noqa: PLC0415

        return decoded(head, blob, pieces, lambda: labelled.add(blob.digest))
    length = head.headers.get("content-length")
    if blob.has_size and length is not None and length != str(blob.size):
        raise ContentMismatch(
            f"blob {blob.digest} has {safe_text(length, 20)} bytes, "
            f"but its descriptor says {blob.size}",
            expected=f"{blob.size} bytes",
            got=f"{safe_text(length, 20)} bytes",
        )
    return pieces
