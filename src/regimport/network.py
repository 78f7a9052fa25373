"""How registries are reached, as frozen values: TLS, addresses, mirrors, and how often to ask."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

from regimport.errors import InvalidOptions, Side
from regimport.redact import safe_url

__all__ = ["Network", "Pin", "RegistrySettings", "Tls", "host_name"]

_DOCKER_HUB = "docker.io"
_DOCKER_HUB_HOSTS = frozenset({_DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?")


def host_name(registry: str) -> str:
    """Give a registry's `host[:port]` in the one form that is compared.

    In lower case, without the port of https, and all of Docker Hub's names as one.
    """
    host = registry.lower().removesuffix(":443")
    return _DOCKER_HUB if host in _DOCKER_HUB_HOSTS else host


@dataclass(frozen=True, kw_only=True, slots=True)
class Tls:
    """Whom to trust at a registry, and who to be there; the paths are those of PEM files.

    `ca_file` is trusted besides what the system trusts. `insecure` trusts anybody; it never takes
    http for https.
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
        """Give these settings, and those of `other` where here are none."""
        pair = self if self.cert_file is not None else other
        return Tls(
            ca_file=self.ca_file if self.ca_file is not None else other.ca_file,
            cert_file=pair.cert_file,
            key_file=pair.key_file,
            insecure=self.insecure or other.insecure,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistrySettings:
    """What is set for one registry.

    `endpoint` is the URL that serves its API, in the place of https and its own name. `mirrors`
    are the URLs of registries that hold copies of its images. `concurrency` is how many blobs and
    manifests may move there at once, `request_rate` how many requests a second may be made.
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
    """Where to connect for a host and a port, in the place of asking name servers."""

    host: str
    port: int
    addresses: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Pin:
        """Read curl's `HOST:PORT:ADDRESS[,ADDRESS...]`; raises `InvalidOptions`."""
        match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]+):([0-9]{1,5}):(.+)", text)
        try:
            assert match is not None
            found = tuple(
                str(ipaddress.ip_address(one.strip().strip("[]"))) for one in match[3].split(",")
            )
            port = int(match[2])
            assert 0 < port < 65536
        except (AssertionError, ValueError) as error:
            raise InvalidOptions(
                f"invalid --resolve {text!r}",
                hint="write HOST:PORT:ADDRESS, as in registry.example:443:192.0.2.1; an IPv6 "
                "address may stand in brackets",
            ) from error
        return cls(match[1].strip("[]").lower(), port, found)


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """All that is set about the ways to registries.

    `registries` are settings by registry (`host[:port]`). `source` and `target` are the TLS
    settings of the registries at those ends, before what is set for the registry. `insecure` are
    registries whose certificates are not checked. `resolve` says where hosts are.
    """

    registries: Mapping[str, RegistrySettings] = field(default_factory=lambda: MappingProxyType({}))
    source: Tls = Tls()
    target: Tls = Tls()
    insecure: frozenset[str] = frozenset()
    resolve: tuple[Pin, ...] = ()

    def __reduce__(self) -> tuple[object, ...]:
        # A mapping proxy cannot be pickled.
        ways = (self.source, self.target, self.insecure, self.resolve)
        return _restore, (dict(self.registries), *ways)

    def of(self, registry: str) -> RegistrySettings:
        """Give what is set for a registry."""
        return self.registries.get(host_name(registry), _NOTHING_SET)

    def tls_of(self, registry: str, side: Side | None = None) -> Tls:
        """Give the TLS settings of a registry, as an end of a copy or met on the way."""
        ends = {Side.SOURCE: self.source, Side.TARGET: self.target}
        own = ends[side] if side is not None else Tls()
        name = host_name(registry)
        named = Tls(insecure=any(host_name(one) == name for one in self.insecure))
        return named.over(own.over(self.of(registry).tls))


_NOTHING_SET = RegistrySettings()


def _restore(
    registries: dict[str, RegistrySettings],
    source: Tls,
    target: Tls,
    insecure: frozenset[str],
    resolve: tuple[Pin, ...],
) -> Network:
    """Return the network settings that were pickled."""
    return Network(
        registries=MappingProxyType(registries),
        source=source,
        target=target,
        insecure=insecure,
        resolve=resolve,
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
            f"{safe_url(url)!r} is no URL of a registry",
            hint="write https://HOST[:PORT], without a user name: credentials are looked for "
            "under the host",
        )
