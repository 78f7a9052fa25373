"""The head of a request as it is sent (RFC 9112, sections 3 and 5).

h11 would write it, too, but checks each part with an expression of its own, which costs as much as
all the rest of a small request.
"""

from __future__ import annotations

import re

import httpx

from regimport.transport.proxy import Proxy

__all__ = ["BodyFraming", "encode_head", "unsendable"]

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_START = re.compile(_TOKEN + rb" [\x21-\x7e]+ HTTP/1\.1")
# Nothing in a field may end it: no CR, LF or NUL (RFC 9110, section 5.5).
_FIELD = re.compile(_TOKEN + rb": [^\x00\r\n]*")


def encode_head(request: httpx.Request, forwarder: Proxy | None) -> bytes:
    """Return the head of a request, for the origin itself or for a proxy that forwards it.

    Raise `httpx.LocalProtocolError`, whose words never quote a header's value.
    """
    target = request.extensions.get("target") or request.url.raw_path
    fields = request.headers.raw
    if forwarder is not None:
        # RFC 9112, section 3.2.2: a proxy is told the whole URL.
        target = b"%s://%s%s" % (request.url.raw_scheme, request.url.netloc, target)
        if forwarder.authorization is not None:
            secret = forwarder.authorization.encode("ascii")
            fields = [*fields, (b"Proxy-Authorization", secret)]
    start = b"%s %s HTTP/1.1" % (request.method.encode("ascii"), target)
    lines = [b"%s: %s" % field for field in fields]
    if _START.fullmatch(start) is None or not all(map(_FIELD.fullmatch, lines)):
        raise unsendable()
    return b"\r\n".join((start, *lines, b"", b""))


class BodyFraming:
    """How a request says where its body ends; refuses a body of another length than it says."""

    def __init__(self, headers: httpx.Headers) -> None:
        self._chunked = "transfer-encoding" in headers
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdecimal():
            raise unsendable()
        self._left = int(length)

    def encode(self, piece: bytes) -> tuple[bytes, ...]:
        """Return the parts that carry a piece of the body; raise `httpx.LocalProtocolError`."""
        if not piece:
            return ()
        if self._chunked:
            return b"%x\r\n" % len(piece), piece, b"\r\n"
        self._left -= len(piece)
        if self._left < 0:
            raise unsendable()
        return (piece,)

    def end(self) -> bytes:
        """Return what ends the body; raise `httpx.LocalProtocolError` if something is missing."""
        if self._chunked:
            return b"0\r\n\r\n"
        if self._left:
            raise unsendable()
        return b""


def unsendable() -> httpx.LocalProtocolError:
    """Return the error for a request that cannot be sent as it is."""
    return httpx.LocalProtocolError(
        "the request has characters that HTTP does not allow, or its body has another length"
    )
