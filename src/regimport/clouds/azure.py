"""Azure: an access token of Microsoft Entra, which the registry exchanges for its own tokens.

azure-identity's default chain finds the login: the environment, a workload's or a managed identity,
the Azure CLI and other developer tools.
"""

from __future__ import annotations

import logging
import time
from functools import lru_cache

from azure.core.exceptions import AzureError
from azure.identity import AzureAuthorityHosts, DefaultAzureCredential

from regimport.clouds.login import NoLogin, TemporaryCredential
from regimport.models.credential import Credential
from regimport.network import host_name

__all__ = ["credential_of", "get_credential"]

# Where to log in, and the scope of the token: for registries alone, where there is such a scope.
_CLOUDS = {
    "io": (AzureAuthorityHosts.AZURE_PUBLIC_CLOUD, "https://containerregistry.azure.net/.default"),
    "cn": (AzureAuthorityHosts.AZURE_CHINA, "https://management.chinacloudapi.cn/.default"),
    "us": (AzureAuthorityHosts.AZURE_GOVERNMENT, "https://management.usgovcloudapi.net/.default"),
}

# The error says which members of the chain failed; the log must not repeat it on standard error.
logging.getLogger("azure").addHandler(logging.NullHandler())


def get_credential(registry: str) -> TemporaryCredential:
    """Return a token of Microsoft Entra for one of Azure's registries, or raise `NoLogin`."""
    scope = _CLOUDS[_ending(registry)][1]
    try:
        token = credential_of(registry).get_token(scope)
    except (AzureError, ValueError) as error:
        raise NoLogin(error) from None
    return TemporaryCredential(Credential(entra_token=token.token), token.expires_on - time.time())


def credential_of(registry: str) -> DefaultAzureCredential:
    """Return what gives out tokens in the cloud that a registry belongs to."""
    return _chain(_CLOUDS[_ending(registry)][0])


def _ending(registry: str) -> str:
    return host_name(registry).rpartition(".")[2]


@lru_cache
def _chain(authority: str) -> DefaultAzureCredential:
    """Return the chain of a cloud, the same each time: it caches tokens and which member worked."""
    return DefaultAzureCredential(authority=authority)
