"""httpx's own transport, one for each origin: each has its own proxy, and its own trust."""

from __future__ import annotations

import threading

import httpx

from regimport.transport.dial import Dialer
from regimport.transport.origins import Origin

__all__ = ["TransportByOrigin"]


class TransportByOrigin(httpx.BaseTransport):
    """Hands each request to an `httpx.HTTPTransport` of its origin; slower than the pooled one."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._lock = threading.Lock()
        self._made: dict[Origin, httpx.BaseTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return its answer; raise `httpx.TransportError`."""
        origin = Origin.of(str(request.url))
        if self._dialer.proxy_for(origin.scheme, origin.host, origin.port) is not None:
            # httpcore would ask the proxy itself for that.
            request.extensions.pop("target", None)
        with self._lock:
            if origin not in self._made:
                self._made[origin] = self._make(origin)
            transport = self._made[origin]
        response = transport.handle_request(request)
        if response.status_code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
            response.close()
            raise httpx.ProxyError("407 Proxy Authentication Required")
        return response

    def close(self) -> None:
        """Close the connections."""
        for transport in self._made.values():
            transport.close()

    def _make(self, origin: Origin) -> httpx.HTTPTransport:
        found = self._dialer.proxy_for(origin.scheme, origin.host, origin.port)
        proxy = None
        if found is not None:
            context = None
            if found.scheme == "https":
                context = self._dialer.context(found.host, found.port)
            proxy = httpx.Proxy(f"{found.scheme}://{found}", auth=found.user, ssl_context=context)
        if origin.scheme != "https":
            return httpx.HTTPTransport(verify=False, proxy=proxy)
        verify = self._dialer.context(origin.host, origin.port)
        return httpx.HTTPTransport(verify=verify, proxy=proxy)
