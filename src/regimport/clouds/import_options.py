"""What an import into a registry of Azure may be asked for, and what not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from regimport.clouds.hosts import is_azure
from regimport.clouds.names import resource_parts
from regimport.errors import InvalidOptions
from regimport.models.credential import Credential
from regimport.models.reference import AnyReference, Reference
from regimport.options import CopyOptions
from regimport.values import dataclass

__all__ = ["AzureImport", "check_ends", "check_source", "subscription_of"]

_SUBSCRIPTION = "AZURE_SUBSCRIPTION_ID"


@dataclass(frozen=True, kw_only=True, slots=True)
class AzureImport:
    """Where Azure keeps the registries, and what it is sent of the source's credentials.

    `subscription` is the ID of the target's subscription; None means `$AZURE_SUBSCRIPTION_ID`, or
    that of `target_registry`. `target_registry` and `source_registry` are resource IDs of
    registries; without one, the target is looked for in the subscription, and so is a source in
    Azure without credentials. `send_credentials` sends Azure what is found for the source in the
    environment, in files, by helpers or at a cloud; otherwise only a `source_credential` is sent.
    """

    subscription: str | None = None
    target_registry: str | None = None
    source_registry: str | None = None
    send_credentials: bool = False


def check_ends(
    origin: AnyReference, wanted: Sequence[AnyReference], options: CopyOptions
) -> tuple[Reference, list[Reference]]:
    """Return both ends, or raise `InvalidOptions` for what an import cannot do."""
    if not wanted:
        raise InvalidOptions("an import needs a target", hint="name one after the source")
    if not isinstance(origin, Reference):
        raise InvalidOptions(f"a registry cannot import from this machine's disk: {origin}")
    there = [target for target in wanted if isinstance(target, Reference)]
    strangers = [target for target in wanted if target not in there or not _in_azure(target)]
    if strangers:
        raise InvalidOptions(
            f"{strangers[0].name} is in no Azure registry, and cannot import images by itself",
            hint="`server_side` is for targets at *.azurecr.io; leave it out",
        )
    if len({target.registry for target in there}) > 1:
        raise InvalidOptions(
            "the targets of an import must be in one registry",
            hint="import into each registry with a call of its own",
        )
    if not options.attestations:
        raise InvalidOptions(f"`attestations` cannot be left out: {_IMPOSSIBLE['platforms']}")
    if options.foreign_layers == "copy":
        raise InvalidOptions("`foreign_layers` is for a copy: Azure reads the source alone")
    for name, reason in _IMPOSSIBLE.items():
        if getattr(options, name):
            raise InvalidOptions(f"`{name}` does not go with `server_side`: {reason}")
    return origin, [replace(target, registry=target.registry.lower()) for target in there]


# The options of a copy that an import cannot have, and why.
_IMPOSSIBLE = {
    "platforms": "Azure imports every platform of an image, and has no way to choose",
    "referrers": "Azure leaves behind what belongs to an image; copy it afterwards, without it",
    "limit_rate": "the bytes do not pass this machine",
    "create_repository": "it is for ECR; Azure creates repositories by itself",
    "verify": "compare the two with `regimport verify SOURCE TARGET` afterwards",
}


def _in_azure(target: AnyReference) -> bool:
    return isinstance(target, Reference) and is_azure(target.registry)


def subscription_of(azure: AzureImport, environ: Mapping[str, str]) -> str:
    """Return the ID of the target's subscription, or raise `InvalidOptions`."""
    found = azure.subscription
    if azure.target_registry is not None:
        own = resource_parts(azure.target_registry, "`target_registry`")["subscription"]
        if found is not None and found.lower() != own.lower():
            raise InvalidOptions(
                f"`target_registry` is in the subscription {own}, not in {found}",
                hint="leave `subscription` out",
            )
        return own
    found = found or environ.get(_SUBSCRIPTION)
    if not found:
        raise InvalidOptions(
            "which subscription the target is in is not known",
            hint=f"set ${_SUBSCRIPTION}, or give `subscription`; `az account show --query id` "
            "prints it",
        )
    return found


def check_source(resource_id: str, origin: Reference, given: Credential | None) -> None:
    """Raise `InvalidOptions` unless a resource ID is that of the source's registry."""
    name = resource_parts(resource_id, "`source_registry`")["name"].lower()
    first = origin.registry.partition(".")[0].lower()
    if not is_azure(origin.registry) or (first != name and not first.startswith(f"{name}-")):
        raise InvalidOptions(
            f"the source is at {origin.registry}, but `source_registry` is {name}",
            hint="name the source in that registry",
        )
    if given is not None:
        raise InvalidOptions(
            "`source_registry` is read with the login at Azure, not with `source_credential`",
            hint="leave one of them out",
        )
