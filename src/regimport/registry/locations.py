"""Where requests, and the secrets in them, may go: decisions on URLs, and nothing else."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from regimport.errors import AccessDenied, RegistryError
from regimport.redact import safe_url

__all__ = [
    "Origin",
    "check_realm",
    "next_page",
    "redirect_target",
    "upload_location",
    "with_digest",
]

_PORTS = {"http": 80, "https": 443}
_LINK = re.compile(r"<([^>]*)>((?:[^,\"]|\"(?:[^\"\\]|\\.)*\")*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))", re.IGNORECASE)
# What inet_aton() takes for an address besides four decimal numbers: 2130706433, 0x7f.1, 0177.1
_NUMERIC_HOST = re.compile(
    r"(?:0[xX][0-9a-fA-F]*|[0-9]+)(?:\.(?:0[xX][0-9a-fA-F]*|[0-9]+)){0,3}\.?"
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a URL, normalised (RFC 6454, section 4)."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """Give the origin of an absolute http or https URL; raises `RegistryError`."""
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS[parts.scheme.lower()]
            host = parts.hostname
        except (ValueError, KeyError):
            host = None
        if not host:
            raise RegistryError(f"a registry sent a URL that cannot be used: {safe_url(url)}")
        return cls(parts.scheme.lower(), host.lower().rstrip("."), port)

    def __str__(self) -> str:
        """Give it as `scheme://host:port`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def upload_location(answered: str, location: str) -> str:
    """Give the absolute URL of an upload session from the `Location` of `answered`'s answer.

    A registry behind a proxy that ends TLS may name itself with http; then https stays. Another
    host is gone to with TLS only, if the registry has it. Raises `RegistryError`.
    """
    if not location.strip():
        raise RegistryError(
            "the registry started an upload, but did not say where (no Location)",
            hint="a proxy in front of the registry may have dropped the header",
        )
    return _joined(answered, location)


def redirect_target(answered: str, location: str) -> str:
    """Give the absolute URL that a redirect leads to; raises `RegistryError` if it must not."""
    if not location.strip():
        raise RegistryError(f"{safe_url(answered)} redirects to nowhere (no Location)")
    return _joined(answered, location)


def with_digest(location: str, digest: str) -> str:
    """Add the digest that closes an upload to its URL, whose own query stays byte for byte."""
    parts = urlsplit(location)
    closing = f"digest={quote(digest, safe='')}"
    query = f"{parts.query}&{closing}" if parts.query else closing
    return urlunsplit(parts._replace(query=query, fragment=""))


def next_page(answered: str, link: str, seen: Collection[str]) -> str | None:
    """Give the absolute URL of the next page from a `Link` value (RFC 8288), None at the end.

    Raises `RegistryError` for a page on another origin, or one that was there before.
    """
    for target, attributes in _LINK.findall(link):
        relations = [quoted or bare for quoted, bare in _REL.findall(attributes)]
        if not any("next" in relation.lower().split() for relation in relations):
            continue
        url: str = urljoin(answered, target.strip())
        if Origin.of(url) != Origin.of(answered):
            raise RegistryError(
                f"the listing goes on at another host, {safe_url(url)}; that is not followed"
            )
        if url in seen:
            raise RegistryError(f"the listing comes back to a page it gave: {safe_url(url)}")
        return url
    return None


def check_realm(realm: str, registry: Origin) -> str:
    """Give the absolute URL of a token service that `registry` names; raises `AccessDenied`.

    It is told credentials, so it must have TLS if the registry has, and a registry out in the
    world must not send us to an address of this machine or its network's metadata service.
    """
    url = urljoin(f"{registry}/", realm) if realm.startswith("/") else realm
    try:
        origin = Origin.of(url)
        parts = urlsplit(url)
    except RegistryError as error:
        raise _refused(realm, "it is no http or https URL") from error
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _refused(realm, "it holds characters that no URL has")
    if "@" in parts.netloc:
        raise _refused(realm, "it holds a user name")
    if origin.scheme == "http" and registry.scheme != "http":
        raise _refused(realm, "it has no TLS, but the registry has")
    wanted, own = _kind(origin.host), _kind(registry.host)
    if wanted in _GUARDED and wanted != own:
        raise _refused(realm, f"it is {_GUARDED[wanted]}")
    return urlunsplit(parts._replace(fragment=""))


_GUARDED = {
    "loopback": "an address of this machine",
    "link-local": "a link-local address, where cloud metadata is served",
    "special": "no address of a host",
    "odd": "a number in place of a host name",
}


def _kind(host: str) -> str:
    """Tell what a host is: a name, or which kind of address."""
    bare = host.partition("%")[0].rstrip(".")
    if bare == "localhost" or bare.endswith(".localhost"):
        return "loopback"
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return "odd" if _NUMERIC_HOST.fullmatch(host) else "name"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = mapped or address
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if address.is_unspecified or address.is_multicast or address.is_reserved:
        return "special"
    return "address"


def _refused(realm: str, reason: str) -> AccessDenied:
    return AccessDenied(
        f"the registry sends us for a token to {safe_url(realm)}, which is refused: {reason}",
        hint="no credentials were sent there; ask who runs the registry",
    )


def _joined(answered: str, location: str) -> str:
    """Resolve a Location against the URL that answered, and never step down from TLS."""
    url = urljoin(answered, location.strip())
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
    return url
