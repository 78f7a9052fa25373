"""Where requests, and the secrets in them, may go: decisions on URLs, and nothing else."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from regimport.errors import AccessDenied, RegistryError
from regimport.hosts import is_loopback_host
from regimport.redact import safe_text, safe_url

__all__ = [
    "DEFAULT_PORTS",
    "GUARDED",
    "MAX_REDIRECTS",
    "Origin",
    "check_realm",
    "endless_redirect",
    "kind_of",
    "next_page",
    "redirect_target",
    "redirected_write",
    "upload_location",
    "with_digest",
]

DEFAULT_PORTS = {"http": 80, "https": 443}
# How many redirects of one request are followed.
MAX_REDIRECTS = 5
# A host that every reader of URLs takes for the same one: no escapes, no other scripts, no zones.
_HOST = re.compile(r"[A-Za-z0-9._~-]+|[0-9A-Fa-f:.]+")
# The longest `Link` value that is read, in characters: some registries sign their cursors.
_MAX_LINK = 8192
_LINK = re.compile(r"<([^<>]*)>")
# A URL or path without the angle brackets that it should have.
_BARE_LINK = re.compile(r"[\s,]*((?:https?:/|/|\?)[^\s;,<>\"]*)")
_LINK_PARAMETER = re.compile(
    r"\s*;\s*([A-Za-z0-9*_-]*)\s*"
    r"(?:=\s*(?:\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|([^\s;,\"]*)))?"
)
# What inet_aton() takes for an address besides four decimal numbers: 2130706433, 0x7f.1, 0177.1
_NUMERIC_HOST = re.compile(
    r"(?:0[xX][0-9a-fA-F]*|[0-9]+)(?:\.(?:0[xX][0-9a-fA-F]*|[0-9]+)){0,3}\.?"
)
# Where clouds serve the credentials of a machine, other than on link-local addresses.
_METADATA = frozenset({"100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"})
# The kinds of hosts that a registry of another kind may not send us to, in words.
GUARDED = {
    "loopback": "an address of this machine",
    "metadata": "a link-local address, or another where cloud metadata is served",
    "special": "no address of a host",
    "odd": "a number in place of a host name",
}


class Origin(NamedTuple):
    """Scheme, host and port of a URL, normalised (RFC 6454, section 4)."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """Return the origin of an absolute http or https URL, or raise `RegistryError`."""
        return cls(*_scheme_host_port(url))

    def __str__(self) -> str:
        """Return it as `scheme://host:port`."""
        return f"{self.scheme}://{self._host}:{self.port}"

    @property
    def name(self) -> str:
        """`host`, and the port if it is not the one that the scheme has anyway."""
        return (
            self._host if self.port == DEFAULT_PORTS[self.scheme] else f"{self._host}:{self.port}"
        )

    @property
    def _host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


# A request asks for the origin of its URL several times.
@lru_cache(maxsize=256)
def _scheme_host_port(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        default = DEFAULT_PORTS[parts.scheme]
        port = default if parts.port is None else parts.port
        host = (parts.hostname or "").rstrip(".")
    except (ValueError, KeyError):
        host, port = "", 0
    if not port or _HOST.fullmatch(host) is None:
        raise RegistryError(f"a registry sent a URL that cannot be used: {safe_url(url)}")
    return parts.scheme, host, port


def upload_location(answered: str, location: str) -> str:
    """Return the absolute URL of an upload session from the `Location` of `answered`'s answer.

    A registry behind a proxy that ends TLS may name itself with http; then https stays. Another
    host must have TLS if the registry has it. Raise `RegistryError`.
    """
    if not location.strip():
        raise RegistryError(
            "the registry started an upload, but did not say where (no Location)",
            hint="a proxy in front of the registry may have dropped the header",
        )
    return _joined(answered, location)


def redirect_target(answered: str, location: str) -> str:
    """Return the absolute URL that a redirect leads to, or raise `RegistryError`."""
    if not location.strip():
        raise RegistryError(f"{safe_url(answered)} redirects to nowhere (no Location)")
    return _joined(answered, location)


def redirected_write(method: str, url: str, status: int, there: str) -> RegistryError:
    """Return the error for a write that another origin is to get."""
    return RegistryError(
        f"{method} {safe_url(url)} answered {status}, a redirect to {safe_url(there)}; what is "
        "written is sent to no other host",
        hint=f"if that is the registry that is meant, name {Origin.of(there).name} as the target",
        method=method,
        url=safe_url(url),
        status=status,
    )


def endless_redirect(method: str, url: str) -> RegistryError:
    """Return the error for a request that was redirected more than `MAX_REDIRECTS` times."""
    return RegistryError(
        f"{method} {safe_url(url)} was redirected more than {MAX_REDIRECTS} times",
        method=method,
        url=safe_url(url),
    )


def with_digest(location: str, digest: str) -> str:
    """Add the digest that closes an upload to its URL, whose own query stays byte for byte.

    The URL that a closing request was redirected to may have it already.
    """
    parts = urlsplit(location)
    closing = f"digest={quote(digest, safe='')}"
    if any(unquote(part) == f"digest={digest}" for part in parts.query.split("&")):
        return urlunsplit(parts._replace(fragment=""))
    query = f"{parts.query}&{closing}" if parts.query else closing
    return urlunsplit(parts._replace(query=query, fragment=""))


def next_page(answered: str, link: str) -> str | None:
    """Return the absolute URL of the next page from a `Link` value (RFC 8288), None at the end.

    A link without a relation counts as the next page, as there is no other reason to send one. Only
    path and query of the link are used: a registry behind a proxy may name a host, port or scheme
    that is known inside its own network only. Raise `RegistryError` for a value that cannot be
    read, because a listing that ends there would be incomplete.
    """
    if not link.strip():
        return None
    links = list(_links(link)) if len(link) <= _MAX_LINK else []
    if not links:
        raise RegistryError(
            f"the link to the next page cannot be used: {safe_text(link, 160)}",
            hint="the list would be incomplete without that page",
        )
    named = [target for target, relation in links if "next" in relation.lower().split()]
    unnamed = [target for target, relation in links if not relation.strip()]
    for target in named or unnamed:
        here, there = urlsplit(answered), urlsplit(_absolute(answered, target))
        if there.scheme not in DEFAULT_PORTS:
            raise RegistryError(f"the next page has an unknown scheme: {safe_url(target)}")
        return urlunsplit((here.scheme, here.netloc, there.path, there.query, ""))
    return None


def check_realm(realm: str, registry: Origin) -> str:
    """Return the absolute URL of the token service that `registry` names, or raise `AccessDenied`.

    It is told credentials, so it must have TLS if the registry has, which is spoken with the
    registry's own host in any case, and a registry out in the world must not send us to an address
    of this machine or its network's metadata service.
    """
    try:
        url = urljoin(f"{registry}/", realm) if realm.startswith("/") else realm
        origin = Origin.of(url)
        parts = urlsplit(url)
    except (RegistryError, ValueError) as error:
        raise _refused(realm, "it is no http or https URL") from error
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _refused(realm, "it holds characters that no URL has")
    if "@" in parts.netloc:
        raise _refused(realm, "it holds a user name")
    if origin.scheme == "http" and registry.scheme != "http":
        if origin.host != registry.host:
            raise _refused(realm, "it has no TLS, but the registry has")
        # A registry behind a proxy that ends TLS may not know that it is reached by https.
        parts = parts._replace(scheme="https", netloc=urlsplit(str(registry)).netloc)
    reason = _danger(origin, registry)
    if reason is not None:
        raise _refused(realm, f"its host is {reason}")
    return urlunsplit(parts._replace(fragment=""))


def _links(header: str) -> Iterator[tuple[str, str]]:
    """Yield the target and the relations of each link in a `Link` value."""
    bare = _BARE_LINK.match(header)
    link = _LINK.search(header) if bare is None else bare
    while link is not None:
        position = link.end()
        relations: list[str] = []
        while (parameter := _LINK_PARAMETER.match(header, position)) is not None:
            position = parameter.end()
            if parameter[1].lower() == "rel":
                relations.append(parameter[2] or parameter[3] or parameter[4] or "")
        # Of several `rel`, the first counts (RFC 8288, section 3.3).
        yield link[1].strip(), relations[0] if relations else ""
        bare = _BARE_LINK.match(header, position)
        link = _LINK.search(header, position) if bare is None else bare


def _danger(there: Origin, own: Origin) -> str | None:
    """Say why `own` may not send us to the host `there`, None if it may.

    A registry on this machine or in a closed network may name its neighbours.
    """
    if there.host == own.host:
        return None
    kind = kind_of(there.host)
    return None if kind == kind_of(own.host) != "odd" else GUARDED.get(kind)


def kind_of(host: str) -> str:
    """Return what a host is: a name, or which kind of address."""
    if is_loopback_host(host):
        return "loopback"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "odd" if _NUMERIC_HOST.fullmatch(host) else "name"
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    if address.is_loopback:
        return "loopback"
    if address.is_link_local or str(address) in _METADATA:
        return "metadata"
    if address.is_multicast or address.is_reserved or address.is_unspecified:
        return "special"
    return "address"


def _refused(realm: str, reason: str) -> AccessDenied:
    return AccessDenied(
        f"the registry sends us for a token to {safe_url(realm)}, which is refused: {reason}",
        hint="no credentials were sent there; ask who runs the registry",
    )


def _joined(answered: str, location: str) -> str:
    """Resolve a Location against the URL that answered, and never step down from TLS."""
    url = _absolute(answered, location.strip())
    here, there = Origin.of(answered), Origin.of(url)
    parts = urlsplit(url)
    if here.scheme == "https" and there.scheme == "http":
        if here.host != there.host:
            raise RegistryError(
                f"the registry sends us from https to {safe_url(url)}, which is refused",
                hint="a proxy that ends TLS must tell the registry (X-Forwarded-Proto)",
            )
        return urlunsplit(parts._replace(scheme="https", netloc=urlsplit(answered).netloc))
    if "@" in parts.netloc:
        raise RegistryError(f"the registry sends us to a URL with a user name: {safe_url(url)}")
    reason = _danger(there, here)
    if reason is not None:
        raise RegistryError(
            f"the registry sends us to {safe_url(url)}, which is refused: its host is {reason}"
        )
    return url


def _absolute(answered: str, location: str) -> str:
    try:
        url: str = urljoin(answered, location)
    except ValueError:
        url = ""
    # A scheme may be in capitals (RFC 3986, section 3.1); the rest stays byte for byte.
    scheme, colon, rest = url.partition(":")
    url = scheme.lower() + colon + rest
    if not url.isprintable() or not url:
        raise RegistryError(f"a registry sent a URL that cannot be used: {safe_url(location)}")
    return url
