"""How registries are reached, as frozen values: TLS, addresses, mirrors and request rates."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from regimport.errors import InvalidOptions, Side
from regimport.models.mapping import FrozenMapping
from regimport.redact import safe_url
from regimport.values import dataclass, field

__all__ = ["Network", "Pin", "RegistrySettings", "Tls", "host_name"]

_DOCKER_HUB = "docker.io"
_DOCKER_HUB_HOSTS = frozenset({_DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?")
_PIN = re.compile(r"(\[[^\]]*\]|[^:\[\]]+):([0-9]{1,5}):(.+)")


def host_name(registry: str) -> str:
    """Return a registry's `host[:port]` in the form in which hosts are compared.

    It is in lower case, without the port of https, and Docker Hub has a single name.
    """
    host = registry.lower().removesuffix(":443")
    return _DOCKER_HUB if host in _DOCKER_HUB_HOSTS else host


@dataclass(frozen=True, kw_only=True, slots=True)
class Tls:
    """The TLS settings of a registry; the paths are those of PEM files.

    `ca_file` is trusted in addition to the system's certificates. `cert_file` and `key_file` are
    the client's certificate. `insecure` switches checking off; it does not allow plain http.
    """

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        if self.key_file is not None and self.cert_file is None:
            raise InvalidOptions(
                f"there is no certificate for the key {self.key_file}",
                hint="give the certificate too; a file that holds both is enough by itself",
            )

    def over(self, other: Tls) -> Tls:
        """Return these settings, completed with those of `other` where a setting is missing."""
        pair = self if self.cert_file is not None else other
        return Tls(
            ca_file=self.ca_file if self.ca_file is not None else other.ca_file,
            cert_file=pair.cert_file,
            key_file=pair.key_file,
            insecure=self.insecure or other.insecure,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistrySettings:
    """The settings of one registry.

    `endpoint` is the URL that serves its API, if that is not https at its own name. `mirrors` are
    the URLs of registries with copies of its images. `concurrency` is how many blobs and manifests
    may be transferred at once, `request_rate` how many requests may be sent in a second.
    """

    tls: Tls = Tls()
    plain_http: bool = False
    endpoint: str | None = None
    mirrors: tuple[str, ...] = ()
    concurrency: int | None = None
    request_rate: float | None = None

    def __post_init__(self) -> None:
        for url in (*self.mirrors, *(() if self.endpoint is None else (self.endpoint,))):
            check_url(url)
        if self.concurrency is not None and self.concurrency < 1:
            raise InvalidOptions(f"concurrency must be 1 or more, not {self.concurrency}")
        if self.request_rate is not None and not self.request_rate > 0:
            raise InvalidOptions(f"request-rate must be more than 0, not {self.request_rate}")


@dataclass(frozen=True, slots=True)
class Pin:
    """The IP addresses to use for a host and a port, instead of asking name servers."""

    host: str
    port: int
    addresses: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Pin:
        """Read curl's `HOST:PORT:ADDRESS[,ADDRESS...]`, or raise `InvalidOptions`."""
        match = _PIN.fullmatch(text)
        if match is None or not 0 < int(match[2]) < 65536:
            raise _invalid_pin(text)
        try:
            addresses = tuple(
                str(ipaddress.ip_address(address.strip().strip("[]")))
                for address in match[3].split(",")
            )
        except ValueError as error:
            raise _invalid_pin(text) from error
        return cls(match[1].strip("[]").lower(), int(match[2]), addresses)


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """All settings about connections to registries.

    `registries` are settings by registry (`host[:port]`). `source` and `target` are the TLS
    settings of those ends and come before the registry's own. `insecure` are registries whose
    certificates are not checked. `resolve` are the addresses of hosts.
    """

    registries: Mapping[str, RegistrySettings] = field(default_factory=FrozenMapping)
    source: Tls = Tls()
    target: Tls = Tls()
    insecure: frozenset[str] = frozenset()
    resolve: tuple[Pin, ...] = ()

    def of(self, registry: str) -> RegistrySettings:
        """Return the settings of a registry."""
        return self.registries.get(host_name(registry), _NOTHING_SET)

    def tls_of(self, registry: str, side: Side | None = None) -> Tls:
        """Return the TLS settings of a registry, with those of `side` if it is at that end."""
        ends = {Side.SOURCE: self.source, Side.TARGET: self.target}
        own = ends[side] if side is not None else Tls()
        name = host_name(registry)
        named = Tls(insecure=any(host_name(registry) == name for registry in self.insecure))
        return named.over(own.over(self.of(registry).tls))


_NOTHING_SET = RegistrySettings()


def _invalid_pin(text: str) -> InvalidOptions:
    return InvalidOptions(
        f"invalid value for `resolve`: {text!r}",
        hint="write HOST:PORT:ADDRESS, as in registry.example:443:192.0.2.1; an IPv6 address may "
        "be in brackets",
    )


def check_url(url: str) -> None:
    """Raise `InvalidOptions` unless `url` is that of a registry: http or https, and a host."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and _HOST.fullmatch(parts.netloc) is not None
        good = good and not parts.query and not parts.fragment and url.isascii()
    except ValueError:
        good = False
    if not good:
        raise InvalidOptions(
            f"{safe_url(url)!r} is not the URL of a registry",
            hint="write https://HOST[:PORT], without a user name: credentials are looked up "
            "by host",
        )
