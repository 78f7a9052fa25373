"""The names of registries where credentials are stored."""

from __future__ import annotations

from regimport.network import host_name

__all__ = ["server_address"]

# The name under which Docker stores credentials for Docker Hub.
_DOCKER_HUB_ADDRESS = "https://index.docker.io/v1/"


def server_address(registry: str) -> str:
    """Return the name under which Docker and its credential helpers store a registry."""
    host = host_name(registry)
    return _DOCKER_HUB_ADDRESS if host == "docker.io" else host
