"""Registry names as `az acr import` accepts them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from regimport.clouds.hosts import is_azure
from regimport.errors import InvalidOptions, InvalidReference
from regimport.models.reference import Reference, registry_of

__all__ = ["cloud_of", "is_resource_id", "resource_parts", "source_at"]

# A resource ID (Azure Resource Manager, "Microsoft.ContainerRegistry/registries").
_RESOURCE = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/providers/Microsoft\.ContainerRegistry"
    r"/registries/(?P<name>[A-Za-z0-9]{5,50})/?",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-Za-z0-9]{5,50}")


def resource_parts(resource_id: str, name: str) -> Mapping[str, str]:
    """Return `subscription`, `group` and `name` of a registry's resource ID.

    Raise `InvalidOptions`, which calls the ID by `name`, if it is none.
    """
    found = _RESOURCE.fullmatch(resource_id)
    if found is None:
        raise InvalidOptions(
            f"{name} must be the resource ID of an Azure registry, not {resource_id[:300]!r}",
            hint="`az acr show --name REGISTRY --query id` prints it",
        )
    return found.groupdict()


def cloud_of(targets: Iterable[str]) -> str:
    """Return the ending of the registries in the cloud that targets are in: `io`, `cn` or `us`."""
    hosts = (target.partition("/")[0] for target in targets)
    return next((host.rpartition(".")[2] for host in hosts if is_azure(host)), "io")


def is_resource_id(registry: str) -> bool:
    """Return whether a registry is named by its resource ID."""
    return _RESOURCE.fullmatch(registry) is not None


def source_at(registry: str, source: str, ending: str = "io") -> str:
    """Return the reference of `source` in `registry`, named as for `az acr import`.

    That is a resource ID, a registry's name, or its login server; the first two mean
    NAME.azurecr.io, or another `ending` in another of Azure's clouds. Raise `InvalidOptions` if it
    is none of these, or if `source` names another registry.
    """
    host = _login_server(registry, ending)
    rest = source.removeprefix(f"{host}/")
    first, slash, _ = rest.partition("/")
    if (
        (":" in first.partition("@")[0] and slash)
        or ("." in first and slash)
        or first == "localhost"
    ):
        raise InvalidOptions(
            f"the source {source!r} already names a registry, which is not {host}",
            hint="leave out --source-registry, or the registry in the source",
        )
    reference = f"{host}/{rest}"
    Reference.parse(reference)
    return reference


def _login_server(registry: str, ending: str) -> str:
    resource = _RESOURCE.fullmatch(registry)
    if resource is not None:
        return f"{resource['name'].lower()}.azurecr.{ending}"
    if _NAME.fullmatch(registry) and registry != "localhost":
        return f"{registry.lower()}.azurecr.{ending}"
    try:
        return registry_of(registry)
    except InvalidReference as error:
        raise InvalidOptions(
            f"invalid --source-registry {registry[:300]!r}",
            hint="write a resource ID, a registry's name, or its host name",
        ) from error
