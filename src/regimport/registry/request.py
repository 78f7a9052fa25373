"""Requests to a registry, as values, and what they look like on the wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from regimport._version import __version__
from regimport.auth.tokens import Scopes
from regimport.options import Timeouts
from regimport.transport.wire import Clocks, WireRequest

__all__ = ["SMALL", "Request", "on_the_wire"]

# The most that is read of an answer, in bytes, where the request does not say otherwise.
SMALL = 1024 * 1024

_USER_AGENT = f"regimport/{__version__}"
# Reserved characters, and the sign of an escape (RFC 3986, section 2).
_URL_CHARACTERS = ":/?#[]@!$&'()*+,;=%"
# Methods whose requests say how long their body is, be it empty (RFC 9110, section 8.6).
_WITH_BODY = frozenset({"PATCH", "POST", "PUT"})
# What may be said to a host that a registry sends us to; never who the user is.
_HEADERS_FOR_ANYONE = frozenset({"accept", "content-length", "content-type", "range"})


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a registry: `url` is a path under /v2/ or an absolute URL.

    `content` streams a body, whose Content-Length stands in `headers`; such a request is never
    repeated by itself. `limit` bounds the answer's body, in bytes; `patience`, where it is given,
    every wait, in seconds.
    """

    method: str
    url: str
    scopes: Scopes = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content: Iterable[bytes] | None = None
    limit: int = SMALL
    patience: float | None = None


def on_the_wire(
    request: Request, url: str, authorization: str | None, timeouts: Timeouts, *, own: bool
) -> WireRequest:
    """Give the request for `url`; off the registry's `own` origin it says nothing of the user."""
    headers = {"Host": _host(url), "User-Agent": _USER_AGENT, "Accept-Encoding": "identity"}
    headers |= {
        name: value
        for name, value in request.headers.items()
        if own or name.lower() in _HEADERS_FOR_ANYONE
    }
    if own and authorization is not None:
        headers["Authorization"] = authorization
    if request.content is None and (request.body or request.method in _WITH_BODY):
        headers["Content-Length"] = str(len(request.body))
    body = request.body if request.content is None else request.content
    if request.patience is not None:
        seconds = request.patience
        timeouts = Timeouts(connect=seconds, idle=seconds, answer=seconds)
    read = timeouts.idle if request.content is None else timeouts.answer
    clocks = Clocks(connect=timeouts.connect, read=read, write=timeouts.idle)
    # What no URL may hold is escaped, the rest stays byte for byte: it may be signed.
    return WireRequest(request.method, quote(url, safe=_URL_CHARACTERS), headers, body, clocks)


def _host(url: str) -> str:
    """Give the Host of a URL, without the port that its scheme has anyway."""
    parts = urlsplit(url)
    default = {"http": ":80", "https": ":443"}[parts.scheme]
    return parts.netloc.removesuffix(default)
