"""Requests to a registry, as values, and what they look like on the wire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, urlsplit

import httpx

from regimport._version import __version__
from regimport.auth.tokens import Scopes
from regimport.errors import RegimportError
from regimport.options import Timeouts
from regimport.redact import safe_url
from regimport.secrets_sent import SENT
from regimport.transport.answers import read_answer
from regimport.transport.origins import DEFAULT_PORTS
from regimport.values import dataclass, field

__all__ = ["SMALL", "Request", "drain", "to_httpx", "url_of"]

# The most that is read of an answer, in bytes, where the request does not say otherwise.
SMALL = 1024 * 1024

_USER_AGENT = f"regimport/{__version__}"
# Reserved characters, and the sign of an escape (RFC 3986, section 2).
_URL_CHARACTERS = ":/?#[]@!$&'()*+,;=%"
# Methods whose requests say how long their body is, be it empty (RFC 9110, section 8.6).
_WITH_BODY = frozenset({"PATCH", "POST", "PUT"})
# What may be said to a host that a registry sends us to; never who the user is.
_HEADERS_FOR_ANYONE = frozenset(
    {"accept", "content-length", "content-range", "content-type", "range"}
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a registry: `url` is a path under /v2/ or an absolute URL.

    `content` streams a body, whose Content-Length stands in `headers`; such a request is never
    repeated by itself. `limit` bounds the answer's body, in bytes; `timeout`, where it is given,
    every wait, in seconds. One that is `anonymous` never says who the user is.
    """

    method: str
    url: str
    scopes: Scopes = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content: Iterable[bytes] | None = None
    limit: int = SMALL
    timeout: float | None = None
    anonymous: bool = False

    def __repr__(self) -> str:
        """Return method and URL, without what may be secret."""
        return f"<Request {self.method} {safe_url(self.url)}>"


def to_httpx(
    request: Request, url: str, authorization: str | None, timeouts: Timeouts, *, own: bool
) -> httpx.Request:
    """Return the request for `url`; off the registry's `own` origin it says nothing of the user."""
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
    _check(headers)
    # An answer may repeat it.
    if "Authorization" in headers:
        SENT.add_authorization(headers["Authorization"])
    SENT.add_url(url)
    # What no URL may hold is escaped, the rest stays byte for byte: it may be signed.
    escaped = quote(url, safe=_URL_CHARACTERS)
    parts = urlsplit(escaped)
    path = parts.path or "/"
    return _Outgoing(
        request.method,
        escaped,
        headers,
        httpx.ByteStream(request.body) if request.content is None else _Body(request.content),
        {
            "timeout": _clocks(request, timeouts),
            # The request target of RFC 9112, section 3.2.1.
            "target": (f"{path}?{parts.query}" if parts.query else path).encode("ascii"),
            "origin": (
                parts.scheme,
                parts.hostname or "",
                parts.port or DEFAULT_PORTS[parts.scheme],
            ),
            "url": escaped,
        },
    )


def url_of(response: httpx.Response) -> str:
    """Return the URL that was asked for, byte for byte, where httpx would normalise it."""
    url: str = response.request.extensions["url"]
    return url


def drain(response: httpx.Response) -> None:
    """Read the little that is left of an answer, so that its connection can serve again."""
    try:
        read_answer("GET", url_of(response), response, SMALL)
    except (httpx.TransportError, RegimportError):
        pass
    finally:
        response.close()


class _Outgoing(httpx.Request):
    """A request whose URL is parsed when somebody asks for it, which takes longer than the rest."""

    def __init__(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        stream: httpx.SyncByteStream,
        extensions: dict[str, object],
    ) -> None:
        self.method = method
        self.headers = httpx.Headers(headers)
        self.stream = stream
        self.extensions = extensions
        self._text = url
        self._parsed: httpx.URL | None = None

    def __repr__(self) -> str:
        """Return method and URL, without what may be secret."""
        return f"<Request {self.method} {safe_url(self._text)}>"

    @property
    def url(self) -> httpx.URL:
        """The URL, in the form that httpx gives it."""
        if self._parsed is None:
            self._parsed = httpx.URL(self._text)
        return self._parsed

    @url.setter
    def url(self, url: httpx.URL) -> None:
        self._parsed = url


class _Body(httpx.SyncByteStream):
    """A body that is sent piece by piece, once."""

    def __init__(self, content: Iterable[bytes]) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._content)


def _check(headers: Mapping[str, str]) -> None:
    """Raise `httpx.LocalProtocolError` for what no transport could send, and never show it.

    Their own errors quote the value, and that may be a secret (RFC 9110, section 5.5).
    """
    for name, value in headers.items():
        if not value.isascii() or not value.isprintable():
            raise httpx.LocalProtocolError(f"{name} holds characters that HTTP cannot carry")


def _clocks(request: Request, timeouts: Timeouts) -> Mapping[str, float | None]:
    """Return how long to wait, in seconds, by httpx's names."""
    if request.timeout is not None:
        return dict.fromkeys(("connect", "read", "write"), request.timeout) | {"pool": None}
    read = timeouts.idle if request.content is None else timeouts.answer
    return {"connect": timeouts.connect, "read": read, "write": timeouts.idle, "pool": None}


def _host(url: str) -> str:
    """Return the Host of a URL, without the port that its scheme has anyway."""
    parts = urlsplit(url)
    return parts.netloc.removesuffix(f":{DEFAULT_PORTS[parts.scheme]}")
