"""Opens connections: to the host itself, to where it is said to be, or through a proxy."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from regimport.network import Network, Pin
from regimport.transport.proxy import Proxies, Proxy, ProxyError, open_tunnel
from regimport.transport.tls import Contexts
from regimport.transport.wire import ConnectError, words_of

__all__ = ["Dialer", "UntrustedError"]

# How long to wait for a certificate that is only wanted for a message, in seconds.
_PATIENCE = 5.0

Lookup: TypeAlias = Callable[..., Sequence[tuple[Any, ...]]]


class UntrustedError(ConnectError):
    """A certificate is not trusted; `certificate` is what was shown, in DER, if it is known."""

    def __init__(self, message: str, certificate: bytes | None) -> None:
        super().__init__(message)
        self.certificate = certificate


class Dialer:
    """Opens connections for one side and one registry; shared by threads.

    `lookup` asks name servers, as `socket.getaddrinfo` does, which is what does it otherwise.
    """

    def __init__(
        self,
        contexts: Contexts | None = None,
        proxies: Proxies | None = None,
        pins: Sequence[Pin] = (),
        lookup: Lookup | None = None,
    ) -> None:
        self.contexts = contexts or Contexts(Network())
        self._proxies = proxies or Proxies(os.environ)
        self._pins = {(pin.host, pin.port): pin.addresses for pin in pins}
        self._lookup = lookup or _look_up

    def forwarder(self, scheme: str, host: str, port: int) -> Proxy | None:
        """Give the proxy that requests without TLS are handed to whole, None if there is none."""
        return self._proxies.proxy_for(scheme, host, port) if scheme == "http" else None

    def proxy_for(self, scheme: str, host: str, port: int) -> Proxy | None:
        """Give the proxy on the way to an origin, None if there is none."""
        return self._proxies.proxy_for(scheme, host, port)

    def dial(self, scheme: str, host: str, port: int, timeout: float | None) -> socket.socket:
        """Connect, with TLS for https; raises `ConnectError`, and `OSError`."""
        context = self.contexts.context(host, port) if scheme == "https" else None
        connection = self._reach(scheme, host, port, timeout)
        if context is None:
            return connection
        try:
            return context.wrap_socket(connection, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            connection.close()
            shown = self._certificate(scheme, host, port)
            raise UntrustedError(str(error), shown) from error
        except BaseException:
            connection.close()
            raise

    def _reach(self, scheme: str, host: str, port: int, timeout: float | None) -> socket.socket:
        """Give a connection on which the host itself answers, or a proxy that forwards to it."""
        proxy = self._proxies.proxy_for(scheme, host, port)
        if proxy is None:
            return self._connect(host, port, timeout)
        try:
            connection = self._connect(proxy.host, proxy.port, timeout)
        except OSError as error:
            raise ProxyError(proxy, None, words_of(error) or "it did not answer in time") from error
        if scheme == "https":
            try:
                open_tunnel(connection, proxy, host, port)
            except OSError as error:
                connection.close()
                raise ProxyError(
                    proxy, None, words_of(error) or "it did not answer in time"
                ) from error
            except BaseException:
                connection.close()
                raise
        return connection

    def _connect(self, host: str, port: int, timeout: float | None) -> socket.socket:
        """Try the addresses of a host one after another; raises the last one's `OSError`."""
        failure: OSError | None = None
        for known in self._pins.get((host.lower(), port), (host,)):
            for family, kind, protocol, _, address in self._lookup(
                known, port, type=socket.SOCK_STREAM
            ):
                connection = socket.socket(family, kind, protocol)
                try:
                    connection.settimeout(timeout)
                    connection.connect(address)
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                except OSError as error:
                    connection.close()
                    failure = error
                except BaseException:
                    connection.close()
                    raise
                else:
                    return connection
        raise failure or socket.gaierror(socket.EAI_NONAME, f"there is no address for {host}")

    def _certificate(self, scheme: str, host: str, port: int) -> bytes | None:
        """Ask again for the certificate that was not trusted, and say nothing but hello."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with suppress(OSError, ConnectError):
            connection = self._reach(scheme, host, port, _PATIENCE)
            with connection, context.wrap_socket(connection, server_hostname=host) as wrapped:
                return wrapped.getpeercert(binary_form=True)
        return None


def _look_up(host: str, port: int, **wanted: int) -> Sequence[tuple[Any, ...]]:
    """Ask name servers for a host as it is written.

    As a string it would go through Python's codec for international names, which takes longer to
    load than a registry next door takes to answer, and raises `UnicodeError` for odd names.
    """
    return socket.getaddrinfo(host.encode(), port, **wanted)
