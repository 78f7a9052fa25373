"""The names of registries, as those who keep credentials write them."""

from __future__ import annotations

__all__ = ["canonical_host", "server_address"]

_DOCKER_HUB = "docker.io"
_DOCKER_HUB_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
# What Docker calls the Hub where it keeps credentials, since long before references had hosts.
_DOCKER_HUB_ADDRESS = "https://index.docker.io/v1/"


def canonical_host(registry: str) -> str:
    """Give a registry's `host[:port]` in the one form that is compared: whole, in lower case."""
    host = registry.lower().removesuffix(":443")
    return _DOCKER_HUB if host in _DOCKER_HUB_HOSTS else host


def server_address(registry: str) -> str:
    """Give the name that Docker, and its credential helpers, know a registry by."""
    host = canonical_host(registry)
    return _DOCKER_HUB_ADDRESS if host == _DOCKER_HUB else host
