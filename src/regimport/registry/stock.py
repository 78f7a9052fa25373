"""httpx's stock transport in the place of ours: slower, kept by others, good for comparing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from regimport.registry import wire
from regimport.registry.wire import Headers, WireRequest, WireResponse

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
    """Carries requests with a transport of httpx, by default its own over httpcore."""

    def __init__(self, transport: httpx.BaseTransport | None = None) -> None:
        self._transport = transport or httpx.HTTPTransport(trust_env=True)

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
        with _mapped():
            response = self._transport.handle_request(built)
        response.request = built
        fields = response.headers.multi_items()
        return WireResponse(request, response.status_code, Headers(fields), _Body(response))

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

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
def _mapped() -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        for theirs, ours in _ERRORS:
            if isinstance(error, theirs):
                raise ours(str(error)) from error
        raise
