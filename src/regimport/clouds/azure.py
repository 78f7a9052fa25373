"""Azure: an access token of Microsoft Entra, which the registry exchanges for its own tokens.

Who is logged in is found by azure-identity's default chain: the environment, a workload's or a
managed identity, the Azure CLI and other tools of developers.
"""

from __future__ import annotations

import logging
import time
from functools import lru_cache

from azure.core.exceptions import AzureError
from azure.identity import AzureAuthorityHosts, DefaultAzureCredential

from regimport.clouds.lease import Lease, NoLogin
from regimport.models.credential import Credential
from regimport.network import host_name

__all__ = ["lease"]

# Where to log in, and for what: a token that registries alone take, where there is one.
_CLOUDS = {
    "io": (AzureAuthorityHosts.AZURE_PUBLIC_CLOUD, "https://containerregistry.azure.net/.default"),
    "cn": (AzureAuthorityHosts.AZURE_CHINA, "https://management.chinacloudapi.cn/.default"),
    "us": (AzureAuthorityHosts.AZURE_GOVERNMENT, "https://management.usgovcloudapi.net/.default"),
}

# Which member of the chain had nothing is told in the error, not on standard error.
logging.getLogger("azure").addHandler(logging.NullHandler())


def lease(registry: str) -> Lease:
    """Give a token of Microsoft Entra for one of Azure's registries; raises `NoLogin`."""
    authority, scope = _CLOUDS[host_name(registry).rpartition(".")[2]]
    try:
        token = _chain(authority).get_token(scope)
    except (AzureError, ValueError) as error:
        raise NoLogin(error) from None
    return Lease(Credential(entra_token=token.token), token.expires_on - time.time())


@lru_cache
def _chain(authority: str) -> DefaultAzureCredential:
    """Keep the chain: it remembers which of its members knew somebody, and the tokens."""
    return DefaultAzureCredential(authority=authority)
