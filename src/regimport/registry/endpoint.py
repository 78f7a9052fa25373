"""Where a registry's API is served."""

from __future__ import annotations

from urllib.parse import urlsplit

from regimport.models.reference import is_loopback
from regimport.network import host_name
from regimport.options import CopyOptions
from regimport.values import dataclass

__all__ = ["Endpoint", "endpoint_of"]

# Docker Hub's references name a host that does not serve the API.
_HOSTS = {"docker.io": "registry-1.docker.io"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The URL before /v2/.

    `guessed` is whether it is http only because the registry is on this machine, where it may
    still require TLS.
    """

    url: str
    guessed: bool = False

    @property
    def origin(self) -> tuple[str, int]:
        """The host, and the port for TLS."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 443

    def with_tls(self) -> Endpoint:
        """Return the same endpoint with https."""
        return Endpoint("https:" + self.url.partition(":")[2])


def endpoint_of(registry: str, options: CopyOptions) -> Endpoint:
    """Return the endpoint of a registry; plain http is for loopback and for named registries."""
    settings = options.network.of(registry)
    if settings.endpoint is not None:
        scheme, _, place = settings.endpoint.rstrip("/").partition("://")
        return Endpoint(f"{scheme.lower()}://{place}")
    without_tls = {host_name(name) for name in options.plain_http}
    plain = settings.plain_http or host_name(registry) in without_tls
    guessed = not plain and is_loopback(registry)
    scheme = "http" if plain or guessed else "https"
    return Endpoint(f"{scheme}://{_HOSTS.get(registry, registry)}", guessed)
