"""The connections to registries: what carries requests, and how long it waits."""

from __future__ import annotations

import ssl
import threading

import httpx

__all__ = ["Transport"]


class Transport(httpx.BaseTransport):
    """Pooled HTTP/1.1 connections; TLS is set up when the first https request is made.

    It adds nothing to a request: no cookies, no redirects, no credentials, no proxies.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_scheme: dict[str, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; raises `httpx.TransportError`."""
        return self._transport(request.url.scheme).handle_request(request)

    def close(self) -> None:
        """Close all connections."""
        for transport in self._by_scheme.values():
            transport.close()

    def _transport(self, scheme: str) -> httpx.HTTPTransport:
        found = self._by_scheme.get(scheme)
        if found is not None:
            return found
        with self._lock:
            if scheme not in self._by_scheme:
                # OpenSSL's own defaults, so that SSL_CERT_FILE and SSL_CERT_DIR count.
                context = ssl.create_default_context() if scheme == "https" else _no_context()
                self._by_scheme[scheme] = httpx.HTTPTransport(
                    verify=context,
                    http2=False,
                    limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
                )
            return self._by_scheme[scheme]


def _no_context() -> ssl.SSLContext:
    """Give a context for plain http, which never uses it: loading certificates takes time."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
