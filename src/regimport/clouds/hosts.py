"""Which registries belong to which cloud, decided by their whole host name."""

from __future__ import annotations

import re

from regimport.network import host_name
from regimport.values import dataclass

__all__ = ["ECR_PUBLIC", "EcrHost", "ecr_host", "is_azure", "is_google"]

ECR_PUBLIC = "public.ecr.aws"

# Patterns are compiled on first use: most copies have nothing to do with a cloud.
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
# Azure's public cloud, and those of China and of the United States' government.
_AZURE = rf"{_LABEL}(?:\.{_LABEL})*\.azurecr\.(?:io|cn|us)"
# Artifact Registry, and Container Registry with its locations (gcr.io, eu.gcr.io, …).
_GOOGLE = rf"(?:{_LABEL}\.)?gcr\.io|{_LABEL}\.pkg\.dev"
# The hosts that AWS documents for its partitions, with FIPS and dual-stack endpoints.
_ECR = (
    rf"(?P<account>[0-9]{{12}})\.dkr[.-]ecr(?P<fips>-fips)?\.(?P<region>{_LABEL})\."
    r"(?:amazonaws\.(?:com(?:\.cn)?|eu)|on\.(?:aws|amazonwebservices\.com\.cn)"
    r"|sc2s\.sgov\.gov|c2s\.ic\.gov)"
)


@dataclass(frozen=True, slots=True)
class EcrHost:
    """A private registry of AWS: its account, its region, and whether it is a FIPS endpoint."""

    account: str
    region: str
    fips: bool


def is_azure(registry: str) -> bool:
    """Return whether a registry is Azure's: only there are tokens of Microsoft Entra sent."""
    return re.fullmatch(_AZURE, host_name(registry)) is not None


def is_google(registry: str) -> bool:
    """Return whether a registry is Google's: only there are its access tokens sent."""
    return re.fullmatch(_GOOGLE, host_name(registry)) is not None


def ecr_host(registry: str) -> EcrHost | None:
    """Read the host name of a private registry of AWS; None for any other."""
    match = re.fullmatch(_ECR, host_name(registry))
    if match is None:
        return None
    return EcrHost(match["account"], match["region"], match["fips"] is not None)
