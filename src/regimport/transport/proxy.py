"""Which requests go through a proxy, and the tunnels through it.

The environment is read as Go's programs read it (golang.org/x/net/http/httpproxy), so that what
works for docker and crane works here. One rule of it matters in tests and on laptops: a loopback
address, and localhost, is never asked for through a proxy.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import SplitResult, unquote, urlsplit

import h11
import httpx

from regimport._version import __version__
from regimport.errors import InvalidOptions
from regimport.hosts import is_loopback_host
from regimport.redact import safe_text
from regimport.secrets_sent import SENT
from regimport.transport.origins import DEFAULT_PORTS
from regimport.transport.stream import Stream
from regimport.values import dataclass, field

__all__ = ["Proxies", "Proxy", "ProxyError", "open_tunnel"]

# The most of a proxy's answer that is read, in bytes.
_HEAD = 64 * 1024
_PORTS = {**DEFAULT_PORTS, "socks5": 1080, "socks5h": 1080}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy to go through, spoken to with `scheme`: http, https or socks5.

    `user` is a name and a password, None where the proxy asks for none.
    """

    host: str
    port: int
    scheme: str = "http"
    user: tuple[str, str] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """Return it as `host:port`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def forwards(self) -> bool:
        """Whether it takes requests without TLS whole (RFC 9112, section 3.2.2); SOCKS does not."""
        return self.scheme != "socks5"

    @property
    def authorization(self) -> str | None:
        """The value of Proxy-Authorization, None where there is no user."""
        if self.user is None:
            return None
        return "Basic " + base64.b64encode(":".join(self.user).encode()).decode()


class ProxyError(httpx.ProxyError):
    """A proxy did not do what it was asked; `status` is its answer, None if it gave none."""

    def __init__(self, proxy: Proxy, status: int | None, reason: str) -> None:
        super().__init__(f"the proxy {proxy}: {reason}")
        self.proxy = str(proxy)
        self.status = status
        self.reason = reason

    @classmethod
    def unanswered(cls, proxy: Proxy, error: Exception) -> ProxyError:
        """Return the error for a proxy that could not be reached, or fell silent."""
        if isinstance(error, TimeoutError):
            return cls(proxy, None, "it did not answer in time")
        if isinstance(error, EOFError):
            return cls(proxy, None, "it closed the connection")
        words = error.strerror if isinstance(error, OSError) else None
        return cls(proxy, None, words or str(error))


class Proxies:
    """The proxies that the environment names, and for whom they are not."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        if environ.get("REQUEST_METHOD"):
            # In a CGI script it is the header `Proxy` of whoever asks (httpoxy, CVE-2016-5385).
            environ = {name: text for name, text in environ.items() if name != "HTTP_PROXY"}
        self._named = {
            scheme: _variable(environ, f"{scheme}_proxy") for scheme in ("http", "https")
        }
        self._exceptions = _variable(environ, "no_proxy")[1].lower().replace(" ", ",").split(",")
        self._read: dict[str, Proxy | None] = {}

    def proxy_for(self, scheme: str, host: str, port: int) -> Proxy | None:
        """Return the proxy for requests to an origin, None to go there directly.

        Raise `InvalidOptions` where the environment names something else than a proxy.
        """
        name, url = self._named[scheme]
        bare = host.lower().rstrip(".")
        if not url or is_loopback_host(bare):
            return None
        if any(_covers(entry, bare, port) for entry in self._exceptions if entry):
            return None
        if url not in self._read:
            self._read[url] = _parsed(name, url)
        return self._read[url]


def open_tunnel(stream: Stream, proxy: Proxy, host: str, port: int, timeout: float | None) -> None:
    """Ask a proxy for a tunnel to a host; raise `ProxyError`, `OSError` and `EOFError`."""
    if proxy.scheme == "socks5":
        # Imported where it is wanted: it comes with an extra.
        from regimport.transport.socks import open_socks_tunnel  # noqa: PLC0415

        open_socks_tunnel(stream, proxy, host, port, timeout)
        return
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = [("Host", authority), ("User-Agent", f"regimport/{__version__}")]
    if proxy.authorization is not None:
        headers.append(("Proxy-Authorization", proxy.authorization))
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD)
    request = h11.Request(method="CONNECT", target=authority, headers=headers)
    stream.send_all(connection.send(request) or b"", timeout)
    answer: h11.Response | None = None
    # Raised outside: the words of h11 quote what came.
    with suppress(h11.RemoteProtocolError):
        answer = _read_head(connection, stream, timeout)
    if answer is None:
        raise ProxyError(proxy, None, "it does not speak HTTP")
    if not HTTPStatus.OK <= answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
        said = safe_text(answer.reason.decode("latin-1"), 100)
        raise ProxyError(proxy, answer.status_code, f"{answer.status_code} {said}".strip())
    if connection.trailing_data[0]:
        raise ProxyError(proxy, None, "it speaks before the tunnel is used")


def _read_head(connection: h11.Connection, stream: Stream, timeout: float | None) -> h11.Response:
    """Read the answer to CONNECT (RFC 9110, section 9.3.6)."""
    buffer = memoryview(bytearray(4096))
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Response):
            return event
        if event is h11.NEED_DATA:
            count = stream.receive(buffer, timeout)
            if not count:
                raise EOFError
            connection.receive_data(bytes(buffer[:count]))


def _variable(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the name and the value of a variable in capitals, or else in small letters."""
    found = (spelling for spelling in (name.upper(), name) if environ.get(spelling))
    used = next(found, name.upper())
    return used, environ.get(used, "")


def _parsed(name: str, url: str) -> Proxy:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        usual = _PORTS[parts.scheme]
        port = parts.port or usual
        host = parts.hostname or ""
    except (ValueError, KeyError) as error:
        raise _no_proxy(name) from error
    if not host or not host.isascii():
        raise _no_proxy(name)
    if parts.scheme.startswith("socks"):
        _check_socks(name)
    return Proxy(host, port, parts.scheme.removesuffix("h"), _user(parts))


def _user(parts: SplitResult) -> tuple[str, str] | None:
    if parts.username is None:
        return None
    user = unquote(parts.username), unquote(parts.password or "")
    for secret in (user[1], base64.b64encode(":".join(user).encode()).decode()):
        SENT.add(secret)
    return user


def _check_socks(name: str) -> None:
    try:
        import socksio  # noqa: F401, PLC0415 - loaded again where it is used
    except ImportError as error:
        from regimport.installation import install_command  # noqa: PLC0415 - for a hint

        raise InvalidOptions(
            f"{name} names a SOCKS proxy, which needs a package that is not installed",
            hint=install_command("socks"),
        ) from error


def _no_proxy(name: str) -> InvalidOptions:
    # The value is not shown: there may be a password in it.
    return InvalidOptions(
        f"{name} is not the URL of a proxy that can be used",
        hint="write http://[USER:PASSWORD@]HOST:PORT, https://… for a proxy that speaks TLS, or "
        "socks5://…; what goes through any of them to an https registry stays encrypted",
    )


def _covers(exception: str, host: str, port: int) -> bool:
    """Return whether an entry of NO_PROXY is about a host: a name, an address, or a network."""
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
