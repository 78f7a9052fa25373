"""What the head of an answer says of its body and of the connection (RFC 9112)."""

from __future__ import annotations

from collections.abc import Mapping

import h11
import httpx

__all__ = ["body_length", "check_length", "coding_of", "keeps_alive"]

# The most digits of a length: more bytes than 2**63 is no file. Of more than 4,300, Python makes no
# number any more, and whoever reads the field of the answer to a HEAD would fail.
_LENGTH_DIGITS = 19
_NO_BODY = frozenset({204, 304})


def check_length(answer: h11.Response) -> None:
    """Raise `httpx.RemoteProtocolError` for a length that cannot be one, also of no body."""
    length = dict(answer.headers).get(b"content-length", b"")
    if len(length) > _LENGTH_DIGITS:
        raise httpx.RemoteProtocolError(
            f"the answer is not HTTP: its Content-Length has {len(length)} digits"
        )


def body_length(method: str, answer: h11.Response) -> int | None:
    """Return the length of an answer's body in bytes, None if only its end tells (section 6.3)."""
    if method == "HEAD" or answer.status_code in _NO_BODY:
        return 0
    fields = dict(answer.headers)
    if b"transfer-encoding" in fields or b"content-length" not in fields:
        return None
    return int(fields[b"content-length"])


def keeps_alive(answer: h11.Response) -> bool:
    """Return whether the connection stays open behind an answer (section 9.3)."""
    fields = dict(answer.headers)
    ends = b"close" in fields.get(b"connection", b"").lower()
    # Two ways to say how long the answer is: somebody on the way may have read the other one.
    unclear = b"transfer-encoding" in fields and b"content-length" in fields
    return answer.http_version == b"1.1" and not ends and not unclear


def coding_of(headers: Mapping[str, str]) -> str:
    """Return the content coding of an answer in lower case, empty if it has none."""
    named = headers.get("content-encoding", "").lower().split(",")
    return ", ".join(coding.strip() for coding in named if coding.strip() not in {"", "identity"})
