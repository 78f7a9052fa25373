"""Registry names as `az acr import` accepts them."""

from __future__ import annotations

import re

from regimport.errors import InvalidOptions, InvalidReference
from regimport.models.reference import Reference, registry_of

__all__ = ["source_at"]

# A resource ID (Azure Resource Manager, "Microsoft.ContainerRegistry/registries").
_RESOURCE = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ContainerRegistry"
    r"/registries/(?P<name>[A-Za-z0-9]{5,50})/?",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-Za-z0-9]{5,50}")


def source_at(registry: str, source: str) -> str:
    """Return the reference of `source` in `registry`, named as for `az acr import`.

    That is a resource ID, a registry's name, or its login server; the first two mean
    NAME.azurecr.io. Raise `InvalidOptions` if it is none of these, or if `source` names another
    registry.
    """
    host = _login_server(registry)
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


def _login_server(registry: str) -> str:
    resource = _RESOURCE.fullmatch(registry)
    if resource is not None:
        return f"{resource['name'].lower()}.azurecr.io"
    if _NAME.fullmatch(registry) and registry != "localhost":
        return f"{registry.lower()}.azurecr.io"
    try:
        return registry_of(registry)
    except InvalidReference as error:
        raise InvalidOptions(
            f"invalid --source-registry {registry[:300]!r}",
            hint="write a resource ID, a registry's name, or its host name",
        ) from error
