"""The names of registries, as those who keep credentials write them."""

from __future__ import annotations

from regimport.network import host_name

__all__ = ["server_address"]

# What Docker calls the Hub where it keeps credentials, since long before references had hosts.
_DOCKER_HUB_ADDRESS = "https://index.docker.io/v1/"


def server_address(registry: str) -> str:
    """Give the name that Docker, and its credential helpers, know a registry by."""
    host = host_name(registry)
    return _DOCKER_HUB_ADDRESS if host == "docker.io" else host
