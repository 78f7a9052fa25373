"""Blobs at a registry: asked for and read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http import HTTPStatus

from regimport.errors import ContentMismatch, RegistryError, Side, Unreachable
from regimport.models.descriptor import Descriptor
from regimport.models.pieces import without_first
from regimport.redact import safe_text
from regimport.registry.access import Access
from regimport.registry.codings import decoded, is_encoded
from regimport.registry.request import Request
from regimport.transport.answers import Answer, error_of

__all__ = ["has_blob", "is_other", "read_blob"]

# RFC 9110, section 14.4; a total that is not known stands as an asterisk.
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19}|\*)")
_PLAIN: Mapping[str, str] = {}


def has_blob(access: Access, blob: Descriptor) -> bool:
    """Ask whether a blob is there, whole.

    Only an answer that agrees with the descriptor counts: some registries say yes to anything.
    A target that forbids the question, or fails at it, is taken not to have it: the upload tells.
    """
    try:
        answer = access.ask("HEAD", f"blobs/{blob.digest}")
    except Unreachable as error:
        if access.session.side is Side.SOURCE or error.status is None:
            raise
        return False
    if answer.ok:
        length: str = answer.headers.get("content-length", str(blob.size))
        return length == str(blob.size) and not is_other(answer, blob)
    refused = answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    if refused and (access.session.side is Side.SOURCE or access.session.refused):
        raise error_of(answer)
    return False


def is_other(answer: Answer, blob: Descriptor) -> bool:
    """Tell whether an answer names another blob; some name theirs by another algorithm."""
    named = answer.headers.get("docker-content-digest", "")
    return named.startswith(f"{blob.digest.algorithm}:") and named != blob.digest


@contextmanager
def read_blob(access: Access, blob: Descriptor, start: int = 0) -> Iterator[Iterator[bytes]]:
    """Open a blob; gives its bytes from `start` on, unchecked, piece by piece as they come.

    A part that is not certainly the part that was asked for is never used: then the whole blob is
    asked for, and its first bytes are left out.
    """
    with ExitStack() as stack:
        pieces = _rest(stack, access, blob, start) if start else None
        if pieces is None:
            stack.close()
            head, whole = stack.enter_context(access.session.stream(_get(access, blob)))
            whole = _checked(head, blob, whole)
            pieces = without_first(start, whole) if start else whole
        yield pieces


def _rest(stack: ExitStack, access: Access, blob: Descriptor, start: int) -> Iterator[bytes] | None:
    """Ask for the bytes from `start` on (RFC 9110, section 14.2); None if they do not come."""
    request = _get(access, blob, {"Range": f"bytes={start}-"})
    try:
        head, pieces = stack.enter_context(access.session.stream(request))
    except RegistryError as error:
        if error.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return None
        raise
    if head.status == HTTPStatus.PARTIAL_CONTENT:
        return pieces if _is_rest(head, blob, start) else None
    try:
        whole = _checked(head, blob, pieces)
    except (ContentMismatch, RegistryError):
        return None
    return without_first(start, whole)


def _get(access: Access, blob: Descriptor, headers: Mapping[str, str] = _PLAIN) -> Request:
    return Request("GET", f"{access.repository}/blobs/{blob.digest}", access.scopes, headers)


def _is_rest(head: Answer, blob: Descriptor, start: int) -> bool:
    """Tell whether a 206 carries what was asked for, to the blob's end and as it is."""
    match = _CONTENT_RANGE.fullmatch(head.headers.get("content-range", "").strip())
    if match is None or head.headers.get("content-encoding", "identity") != "identity":
        return False
    first, last, total = match.groups()
    return (
        int(first) == start
        and int(last) == blob.size - 1
        and total in {str(blob.size), "*"}
        and head.headers.get("content-length") in {None, str(blob.size - start)}
    )


def _checked(head: Answer, blob: Descriptor, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Give a whole blob as it is; raises `ContentMismatch` where its length tells otherwise."""
    if is_encoded(head, blob):
        return decoded(head, blob, pieces)
    length = head.headers.get("content-length")
    if length is not None and length != str(blob.size):
        raise ContentMismatch(
            f"blob {blob.digest} has {safe_text(length, 20)} bytes, "
            f"but its descriptor says {blob.size}",
            expected=f"{blob.size} bytes",
            got=f"{safe_text(length, 20)} bytes",
        )
    return pieces
