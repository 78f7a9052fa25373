"""Opens connections: to the host itself, to where it is said to be, or through a proxy."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from regimport.transport.eyeballs import Address, connect_first
from regimport.transport.origins import GUARDED, kind_of
from regimport.transport.proxy import Proxies, Proxy, ProxyError, open_tunnel
from regimport.transport.stream import Stream

__all__ = ["Dialer", "RefusedAddress"]

Lookup: TypeAlias = Callable[..., Sequence[tuple[Any, ...]]]
ContextOf: TypeAlias = Callable[[str, int], ssl.SSLContext]


# The kinds of addresses to which no name of another kind of host may lead.
_REFUSED = frozenset({"loopback", "metadata"})


class RefusedAddress(OSError):
    """A name leads to an address of this machine, or of its cloud, where it may not lead."""

    def __init__(self, host: str, kind: str, sent_by: str | None) -> None:
        super().__init__(f"{host} leads to {GUARDED[kind]}")
        self.host = host
        self.kind = kind
        self.sent_by = sent_by


class Dialer:
    """Opens connections; shared by threads.

    `context` returns the TLS context for a host and a port, by default one that trusts what the
    system trusts. `addresses` says where some hosts and ports are, in the place of name servers,
    which `lookup` asks as `socket.getaddrinfo` does. Of several addresses, the one that answered
    is tried first from then on.

    A host that another host (`sent_by`) sends us to may lead to an address of this machine, or to a
    link-local one, only if the other does, too; and no host may come to do so later, as a name
    server can be made to answer otherwise the second time (DNS rebinding). Addresses that the user
    gives are not looked at. Where a proxy connects, it looks the names up, and the rules are its.
    """

    def __init__(
        self,
        context: ContextOf | None = None,
        proxies: Proxies | None = None,
        addresses: Mapping[tuple[str, int], Sequence[str]] | None = None,
        lookup: Lookup | None = None,
    ) -> None:
        self.context: ContextOf = context or _default_context
        self._proxies = proxies or Proxies(os.environ)
        self._addresses = addresses or {}
        self._lookup = lookup or _look_up
        self._lock = threading.Lock()
        self._answered: dict[tuple[str, int], Address] = {}
        # What kind of address a host had when it was first connected to.
        self._kinds: dict[str, str] = {}

    def forwarder(self, scheme: str, host: str, port: int) -> Proxy | None:
        """Return the proxy that requests without TLS are handed to whole, None if there is none."""
        proxy = self._proxies.proxy_for(scheme, host, port)
        return proxy if scheme == "http" and proxy is not None and proxy.forwards else None

    def proxy_for(self, scheme: str, host: str, port: int) -> Proxy | None:
        """Return the proxy on the way to an origin, None if there is none."""
        return self._proxies.proxy_for(scheme, host, port)

    def dial(
        self, scheme: str, host: str, port: int, timeout: float | None, sent_by: str | None = None
    ) -> Stream:
        """Connect, with TLS for https; raise `ProxyError`, and `OSError`."""
        context = self.context(host, port) if scheme == "https" else None
        proxy = self._proxies.proxy_for(scheme, host, port)
        if proxy is None:
            connection = self._connect(host, port, timeout, sent_by)
            return _encrypted(connection, context, host, timeout)
        try:
            stream = self._to_proxy(proxy, timeout)
        except OSError as error:
            raise ProxyError.unanswered(proxy, error) from error
        if scheme == "http" and proxy.forwards:
            return stream
        try:
            open_tunnel(stream, proxy, host, port, timeout)
        except (OSError, EOFError) as error:
            stream.close()
            raise ProxyError.unanswered(proxy, error) from error
        except BaseException:
            stream.close()
            raise
        return _encrypted_within(stream, context, host, timeout)

    def _to_proxy(self, proxy: Proxy, timeout: float | None) -> Stream:
        context = self.context(proxy.host, proxy.port) if proxy.scheme == "https" else None
        return _encrypted(
            self._connect(proxy.host, proxy.port, timeout), context, proxy.host, timeout
        )

    def _connect(
        self, host: str, port: int, timeout: float | None, sent_by: str | None = None
    ) -> socket.socket:
        """Connect to the first of a host's addresses that answers; raise the last's `OSError`."""
        place = host.lower(), port
        # Name servers may not know the names under localhost, or lead elsewhere (RFC 6761, 6.3).
        name = "localhost" if place[0].endswith(".localhost") else host
        known = self._addresses.get(place, (name,))
        found: list[Address] = [
            (family, kind, protocol, address)
            for name in known
            for family, kind, protocol, _, address in self._lookup(
                name, port, type=socket.SOCK_STREAM
            )
        ]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, f"there is no address for {host}")
        if place not in self._addresses:
            found = self._permitted(place[0], found, sent_by)
        with self._lock:
            answered = self._answered.get(place)
        if answered in found:
            found.remove(answered)
            found.insert(0, answered)
        connection, address = connect_first(found, timeout)
        with self._lock:
            if len(found) > 1:
                self._answered[place] = address
            self._kinds.setdefault(place[0], kind_of(address[3][0]))
        return connection

    def _permitted(self, host: str, found: Sequence[Address], sent_by: str | None) -> list[Address]:
        """Return the addresses that may be connected to; raise `RefusedAddress` if none may."""
        with self._lock:
            own = self._kinds.get(host)
            if sent_by is not None and sent_by != host:
                own = self._kinds.get(sent_by, "address")
        if own is None:
            return list(found)
        kinds = [kind_of(address[3][0]) for address in found]
        permitted = [
            address
            for address, kind in zip(found, kinds, strict=True)
            if kind not in _REFUSED or kind == own
        ]
        if not permitted:
            raise RefusedAddress(host, kinds[0], sent_by)
        return permitted


def _encrypted(
    connection: socket.socket, context: ssl.SSLContext | None, host: str, timeout: float | None
) -> Stream:
    """Return a stream over a new connection, after the handshake if it is to have TLS."""
    if context is None:
        return Stream(connection, connection)
    try:
        connection.settimeout(timeout)
        wrapped = context.wrap_socket(connection, server_hostname=host)
    except BaseException:
        connection.close()
        raise
    return Stream(wrapped, wrapped)


def _encrypted_within(
    stream: Stream, context: ssl.SSLContext | None, host: str, timeout: float | None
) -> Stream:
    """Return a stream through a tunnel, after the handshake if it is to have TLS."""
    if context is None:
        return stream
    if not stream.encrypted:
        return _encrypted(stream.raw, context, host, timeout)
    # Imported where it is met: few proxies are spoken to with TLS.
    from regimport.transport.nested import NestedTls  # noqa: PLC0415

    try:
        return Stream(NestedTls(stream, context, host, timeout), stream.raw)
    except BaseException:
        stream.close()
        raise


def _default_context(_host: str, _port: int) -> ssl.SSLContext:
    from regimport.transport.tls import system_context  # noqa: PLC0415 - where nothing else is set

    return system_context()


def _look_up(host: str, port: int, **wanted: int) -> Sequence[tuple[Any, ...]]:
    """Ask name servers for a host as it is written.

    As a string it would go through Python's codec for international names, which takes longer to
    load than a registry next door takes to answer, and raises `UnicodeError` for odd names.
    """
    return socket.getaddrinfo(host.encode(), port, **wanted)
