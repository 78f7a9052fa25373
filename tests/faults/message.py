"""Requests and answers as values, and as bytes on a connection."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

_NOUNS = (
    ("blobs/uploads", "upload"),
    ("blobs/", "blob"),
    ("manifests/", "manifest"),
    ("referrers/", "referrers"),
    ("tags/list", "tags"),
)
_ROUTE = re.compile(r"/v2/.*?/(blobs/uploads|blobs/|manifests/|referrers/|tags/list)")


@dataclass
class Asked:
    """A request that came: its head, and what became of it.

    `received` bytes of its body came; `status` was answered, 0 for nothing; `sent` bytes of the
    answer's body were sent. `performed` tells whether the registry behind saw it whole. It came at
    `began` and was done with at `ended`, in seconds of a clock that never goes back.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    received: int = 0
    status: int = 0
    sent: int = 0
    performed: bool = False
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0

    @property
    def kind(self) -> str:
        """What it is about: `GET blob`, `PUT manifest`, `POST upload`, `GET token`, …"""
        route = _ROUTE.match(self.path)
        noun = dict(_NOUNS)[route[1]] if route else "token" if "/token" in self.path else "other"
        return f"{self.method} {noun}"

    @property
    def length(self) -> int:
        return int(self.headers.get("content-length", "0"))

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status}"


@dataclass(frozen=True)
class Reply:
    """An answer: `headers` as they are sent, in order; the length of `body` is added in sending."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return found[0] if found else None

    def without(self, *names: str) -> Reply:
        dropped = {name.lower() for name in names}
        kept = tuple(pair for pair in self.headers if pair[0].lower() not in dropped)
        return Reply(self.status, kept, self.body)

    def adding(self, **headers: str) -> Reply:
        """With these headers in the place of those of the same name."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Reply(self.status, (*self.without(*named).headers, *named.items()), self.body)

    def head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} X", *(f"{name}: {text}" for name, text in self.headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass(frozen=True)
class Framing:
    """How the end of an answer's body is told."""

    name: str
    header: str = field(default="")

    def wrap(self, piece: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(piece), piece) if self is CHUNKED and piece else piece

    @property
    def end(self) -> bytes:
        return b"0\r\n\r\n" if self is CHUNKED else b""


WITH_LENGTH = Framing("with a length")
CHUNKED = Framing("in chunks", "Transfer-Encoding: chunked")
UNTIL_CLOSE = Framing("until the connection ends", "Connection: close")
