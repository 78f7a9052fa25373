"""What a request must have before it reaches the registry: a known host, no foreign page behind it.

A page of another site can make a browser send requests to this registry, and by DNS rebinding it
can give the registry's address a name of its own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from regimport.hosts import is_loopback_host
from regimport.server.accounts import Accounts
from regimport.server.answers import Refusal, answer_of

__all__ = ["Guard"]

# What browsers say of requests that no other site has caused (Fetch Metadata, section 2.4).
_OWN_SITES = frozenset({"same-origin", "none"})
_NO_SNIFF = (b"x-content-type-options", b"nosniff")


class Guard:
    """An ASGI application that refuses what must not reach `app`.

    `host` is the address that the server listens on, `names` are the other names that it has. With
    `accounts`, each request needs a user name and a password.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        names: Collection[str] = (),
        accounts: Accounts | None = None,
    ) -> None:
        self._app = app
        self._host = host.lower()
        self._names = frozenset(name.lower().rstrip(".") for name in names)
        self._accounts = accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it, as an ASGI application."""

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], _NO_SNIFF]}
            await send(message)

        headers = Headers(scope=scope)
        try:
            _check_framing(headers, scope["http_version"])
            self._check_host(headers)
            _check_site(headers)
            if self._accounts is not None:
                await self._accounts.check(headers.get("authorization"))
        except Refusal as refusal:
            await answer_of(refusal)(scope, receive, send_safely)
        else:
            await self._app(scope, receive, send_safely)

    def _check_host(self, headers: Headers) -> None:
        host = _host_of(headers.get("host", ""))
        if not (host and (host == self._host or host in self._names or self._is_address(host))):
            raise Refusal(
                403,
                "DENIED",
                f"this registry is not called {host[:255]!r}; "
                "`regimport serve --server-name NAME` gives it names",
            )

    def _is_address(self, host: str) -> bool:
        """Return whether a host is another spelling of the address that the server listens on.

        A server on all addresses has every one of its machine: no page can choose what an address
        means, as it can for a name.
        """
        if host == "localhost":
            return True
        address, own = _address(host), _address(self._host)
        if address is None or own is None:
            return address is not None and address.is_loopback and is_loopback_host(self._host)
        return own == address or own.is_unspecified or (own.is_loopback and address.is_loopback)


def _check_framing(headers: Headers, version: str) -> None:
    """Raise `Refusal` if it is not certain where the request ends (RFC 9112, section 6.1).

    Another program before this one may have seen two requests in it.
    """
    if "transfer-encoding" in headers and ("content-length" in headers or version == "1.0"):
        raise Refusal(
            400,
            "UNSUPPORTED",
            "the request has Transfer-Encoding beside Content-Length, or is HTTP/1.0",
            headers={"Connection": "close"},
        )


def _check_site(headers: Headers) -> None:
    """Raise `Refusal` if a page of another site makes the request."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    own = origin is None or origin.lower().partition("://")[2] == headers.get("host", "").lower()
    if not own or site not in _OWN_SITES:
        raise Refusal(403, "DENIED", "pages of other sites may not use this registry")


def _host_of(header: str) -> str:
    """Return the name or address in a Host header, without brackets and port; empty if invalid."""
    try:
        return (urlsplit(f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
