"""httpx's stock transport in the place of ours: slower, kept by others, good for comparing."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from regimport.transport import wire
from regimport.transport.dial import Dialer
from regimport.transport.origins import Origin
from regimport.transport.proxy import Proxy, ProxyError
from regimport.transport.wire import Clocks, Headers, WireRequest, WireResponse

__all__ = ["StockTransport"]

# The most specific first: httpx's exceptions, and ours that say the same.
_ERRORS: tuple[tuple[type[httpx.TransportError], type[wire.TransportError]], ...] = (
    (httpx.ConnectTimeout, wire.ConnectTimeout),
    (httpx.WriteTimeout, wire.WriteTimeout),
    (httpx.ReadTimeout, wire.ReadTimeout),
    (httpx.TimeoutException, wire.TransportTimeout),
    (httpx.ConnectError, wire.ConnectError),
    (httpx.WriteError, wire.WriteError),
    (httpx.ReadError, wire.ReadError),
    (httpx.RemoteProtocolError, wire.ProtocolError),
    (httpx.TransportError, wire.TransportError),
)


class StockTransport:
    """Carries requests with a transport of httpx, by default its own over httpcore.

    There is one for each origin, since each has its own way there and whom to trust.
    """

    def __init__(
        self, transport: httpx.BaseTransport | None = None, dialer: Dialer | None = None
    ) -> None:
        self._given = transport
        self._dialer = dialer or Dialer()
        self._lock = threading.Lock()
        self._made: dict[Origin, httpx.BaseTransport] = {}

    def send(self, request: WireRequest) -> WireResponse:
        """Send a request and give the answer; raises `TransportError`."""
        clocks = request.clocks
        times = {"connect": clocks.connect, "read": clocks.read, "write": clocks.write}
        built = httpx.Request(
            request.method,
            request.url,
            headers=dict(request.headers),
            content=request.body,
            extensions={"timeout": times | {"pool": None}},
        )
        origin = Origin.of(request.url)
        proxy = self._dialer.proxy_for(origin.scheme, origin.host, origin.port)
        with _mapped(proxy):
            response = self._to(origin, proxy).handle_request(built)
        if proxy is not None and response.status_code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
            response.close()
            raise ProxyError(proxy, response.status_code, response.reason_phrase)
        response.request = built
        fields = response.headers.multi_items()
        return WireResponse(request, response.status_code, Headers(fields), _Body(response))

    def close(self) -> None:
        """Close the connections."""
        for transport in (*self._made.values(), *(() if self._given is None else (self._given,))):
            transport.close()

    def _to(self, origin: Origin, proxy: Proxy | None) -> httpx.BaseTransport:
        if self._given is not None:
            return self._given
        with self._lock:
            if origin not in self._made:
                self._made[origin] = self._make(origin, proxy)
            return self._made[origin]

    def _make(self, origin: Origin, proxy: Proxy | None) -> httpx.BaseTransport:
        through = None
        if proxy is not None:
            told = {"Proxy-Authorization": proxy.authorization} if proxy.authorization else None
            through = httpx.Proxy(f"http://{proxy}", headers=told)
        if origin.scheme != "https":
            return httpx.HTTPTransport(verify=False, proxy=through)
        context = self._dialer.contexts.context(origin.host, origin.port)
        return httpx.HTTPTransport(verify=context, proxy=through)

    def warm(self, url: str, clocks: Clocks) -> None:
        """Do nothing: httpx opens connections when it needs them."""

    def abort(self) -> None:
        """Do nothing: httpx leaves what is in use to those who use it."""


class _Body:
    """The body of httpx's response."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    def pieces(self) -> Iterator[bytes]:
        """Give the bytes as they come."""
        with _mapped():
            yield from self._response.iter_raw()

    def close(self) -> None:
        """Let go of the connection."""
        self._response.close()


@contextmanager
def _mapped(proxy: Proxy | None = None) -> Iterator[None]:
    try:
        yield
    except httpx.ProxyError as error:
        assert proxy is not None
        status = re.match("[0-9]{3}", str(error))
        raise ProxyError(proxy, int(status[0]) if status else None, str(error)) from error
    except httpx.TransportError as error:
        for theirs, ours in _ERRORS:
            if isinstance(error, theirs):
                raise ours(str(error)) from error
        raise
