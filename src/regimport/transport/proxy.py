"""Which requests go through a proxy, and the tunnels through it.

The environment is read as Go's programs read it (golang.org/x/net/http/httpproxy), so that what
works for docker and crane works here. One rule of it matters in tests and on laptops: a loopback
address, and localhost, is never asked for through a proxy.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from regimport._version import __version__
from regimport.errors import InvalidOptions
from regimport.models.reference import is_loopback
from regimport.redact import safe_text
from regimport.transport.wire import ConnectError

__all__ = ["Proxies", "Proxy", "ProxyError", "open_tunnel"]

# The most of a proxy's answer that is read, in bytes.
_HEAD = 64 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: ([^\r\n]*))?\r?\n")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy to go through; `authorization` is what it is told of the user."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """Give it as `host:port`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class ProxyError(ConnectError):
    """A proxy did not do what it was asked; `status` is its answer, None if it gave none."""

    def __init__(self, proxy: Proxy, status: int | None, reason: str) -> None:
        super().__init__(f"the proxy {proxy}: {reason}")
        self.proxy = str(proxy)
        self.status = status
        self.reason = reason


class Proxies:
    """The proxies that the environment names, and for whom they are not."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._named = {
            scheme: _variable(environ, f"{scheme}_proxy") for scheme in ("http", "https")
        }
        self._exceptions = _variable(environ, "no_proxy")[1].lower().replace(" ", ",").split(",")
        self._read: dict[str, Proxy | None] = {}

    def proxy_for(self, scheme: str, host: str, port: int) -> Proxy | None:
        """Give the proxy for requests to an origin, None to go there directly.

        Raises `InvalidOptions` where the environment names something else than a proxy.
        """
        name, url = self._named[scheme]
        bare = host.lower().rstrip(".")
        if (
            not url
            or is_loopback(f"[{bare}]" if ":" in bare else bare)
            or bare.endswith(".localhost")
        ):
            return None
        if any(_covers(one, bare, port) for one in self._exceptions if one):
            return None
        if url not in self._read:
            self._read[url] = _parsed(name, url)
        return self._read[url]


def open_tunnel(connection: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Ask a proxy for a tunnel (RFC 9110, section 9.3.6); raises `ProxyError`."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [
        f"CONNECT {authority} HTTP/1.1",
        f"Host: {authority}",
        f"User-Agent: regimport/{__version__}",
    ]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("ascii"))
    match = _STATUS.match(_read_head(connection, proxy))
    if match is None:
        raise ProxyError(proxy, None, "it does not speak HTTP")
    status = int(match[1])
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        said = safe_text((match[2] or b"").decode("latin-1"), 100)
        raise ProxyError(proxy, status, f"{status} {said}".strip())


def _read_head(connection: socket.socket, proxy: Proxy) -> bytes:
    """Read an answer to the end of its head, and not a byte more: that belongs to the tunnel."""
    head = b""
    while len(head) < _HEAD:
        seen = connection.recv(4096, socket.MSG_PEEK)
        if not seen:
            raise ProxyError(proxy, None, "it closed the connection")
        end = re.search(rb"\r?\n\r?\n", head + seen)
        wanted = len(seen) if end is None else end.end() - len(head)
        head += connection.recv(wanted)
        if end is not None:
            break
    return head


def _variable(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """Give the name and the value of a variable in capitals, or else in small letters."""
    found = (one for one in (name.upper(), name) if environ.get(one))
    used = next(found, name.upper())
    return used, environ.get(used, "")


def _parsed(name: str, url: str) -> Proxy:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or 80
        known = parts.scheme == "http" and bool(host) and host is not None and host.isascii()
    except ValueError:
        known, host, port = False, None, 0
    if not known or host is None:
        # The value is not shown: there may be a password in it.
        raise InvalidOptions(
            f"{name} names no proxy that can be used",
            hint="write http://[USER:PASSWORD@]HOST:PORT; proxies are spoken to with HTTP alone, "
            "and what goes through them is encrypted all the same",
        )
    if parts.username is None:
        return Proxy(host, port)
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Proxy(host, port, "Basic " + base64.b64encode(pair.encode()).decode())


def _covers(exception: str, host: str, port: int) -> bool:
    """Tell whether an entry of NO_PROXY is about a host: a name, an address, or a network."""
    if exception == "*":
        return True
    if "/" in exception:
        return _in_network(exception, host)
    match = re.fullmatch(r"(\[[^\]]*\]|[^:]*):([0-9]+)", exception)
    if match is not None and int(match[2]) != port:
        return False
    name = (match[1] if match else exception).strip("[]")
    if name.startswith(("*.", ".")):
        return host.endswith(name.removeprefix("*"))
    return host == name or (host.endswith(f".{name}") and not _is_address(host))


def _in_network(exception: str, host: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(exception, strict=False)
    except ValueError:
        return False


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
