"""Azure Resource Manager: asks a registry of Azure to import an image by itself.

It is what `az acr import` does: https://learn.microsoft.com/azure/container-registry/
container-registry-import-images. The client is azure-mgmt-containerregistry's.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from azure.core.exceptions import AzureError
from azure.mgmt.containerregistry import ContainerRegistryManagementClient
from azure.mgmt.containerregistry.models import (
    ImportImageParameters,
    ImportSource,
    ImportSourceCredentials,
)

from regimport.clouds import import_failures
from regimport.clouds.azure import credential_of
from regimport.errors import Interrupted, NotFound, Side
from regimport.models.credential import Credential
from regimport.network import host_name
from regimport.options import RetryPolicy, Timeouts
from regimport.values import dataclass

__all__ = ["ImportRequest", "ManagedRegistry", "ResourceManager", "managing"]

# Where Resource Manager is, and the scope of its tokens, by the ending of a registry's host name
# (`get_arm_endpoints` of azure-mgmt-core).
_ENDPOINTS = {
    "io": ("https://management.azure.com", "https://management.azure.com/.default"),
    "cn": (
        "https://management.chinacloudapi.cn",
        "https://management.chinacloudapi.cn/.default",
    ),
    "us": (
        "https://management.usgovcloudapi.net",
        "https://management.core.usgovcloudapi.net/.default",
    ),
}
# Seconds between two looks at an operation, where Azure does not say how long to wait.
_INTERVAL = 5.0
# Seconds between two reports of how long an import has been going on.
_REPORT_INTERVAL = 1.0
_GROUP = re.compile(r"/resourceGroups/([^/]+)/", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ManagedRegistry:
    """A registry as Resource Manager knows it."""

    resource_id: str
    name: str
    login_server: str

    @property
    def group(self) -> str:
        """The resource group that it is in."""
        found = _GROUP.search(self.resource_id)
        return "" if found is None else found[1]


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What a registry is asked for.

    `image` is `repository:tag` or `repository@digest` at the source, which is named by its host
    name or by its resource ID. `tags` are the targets `repository:tag`, `untagged` the repositories
    that get the manifests alone. `credential` is sent to Azure; None if none is.
    """

    image: str
    tags: tuple[str, ...]
    untagged: tuple[str, ...]
    force: bool
    host: str | None = None
    resource_id: str | None = None
    credential: Credential | None = None

    def parameters(self) -> ImportImageParameters:
        """Return the body of the request."""
        secret = self.credential
        credentials = None
        if secret is not None:
            credentials = ImportSourceCredentials(
                password=secret.entra_token or secret.password, username=secret.username or None
            )
        return ImportImageParameters(
            source=ImportSource(
                source_image=self.image,
                resource_id=self.resource_id,
                registry_uri=self.host,
                credentials=credentials,
            ),
            target_tags=list(self.tags) or None,
            untagged_target_repositories=list(self.untagged) or None,
            mode="Force" if self.force else "NoForce",
        )


class ResourceManager:
    """The registries of a subscription; errors are those of regimport."""

    def __init__(self, client: ContainerRegistryManagementClient, subscription: str) -> None:
        self._client = client
        self._subscription = subscription
        self._listed: dict[str, ManagedRegistry] | None = None

    def find(self, registry: str) -> ManagedRegistry | None:
        """Return the registry of a login server, None if the subscription has none of that name."""
        if self._listed is None:
            with _errors(registry):
                found = [_managed(each) for each in self._client.registries.list()]
            self._listed = {each.login_server: each for each in found}
        return self._listed.get(host_name(registry))

    def get(self, registry: str, resource: Mapping[str, str]) -> ManagedRegistry:
        """Return the registry that a resource ID, read into its parts, names."""
        with _errors(registry):
            return _managed(self._client.registries.get(resource["group"], resource["name"]))

    def target(self, registry: str) -> ManagedRegistry:
        """Return the registry of a login server, or raise `NotFound`."""
        found = self.find(registry)
        if found is None:
            raise NotFound(
                f"the subscription {self._subscription} has no registry {registry} that this "
                "login may see",
                hint="name the right `subscription`, or the registry's resource ID as "
                "`target_registry`",
            ).located(Side.TARGET, registry)
        return found

    def run_import(
        self,
        managed: ManagedRegistry,
        request: ImportRequest,
        stop: threading.Event,
        tell: Callable[[], None],
    ) -> None:
        """Have the registry import an image, and wait until it has.

        `tell` is called about once a second. Raise `Interrupted` once `stop` is set; the registry
        goes on then.
        """
        with _errors(managed.login_server, request.host or managed.login_server):
            poller = self._client.registries.begin_import_image(
                managed.group, managed.name, request.parameters(), polling_interval=_INTERVAL
            )
            over = threading.Event()
            poller.add_done_callback(lambda _: over.set())
            tell()
            waited = 0.0
            while not over.wait(0.1):
                if stop.is_set():
                    raise Interrupted
                waited += 0.1
                if waited >= _REPORT_INTERVAL:
                    waited = 0.0
                    tell()
            poller.result()


@contextmanager
def managing(
    registry: str, subscription: str, retry: RetryPolicy, timeouts: Timeouts
) -> Iterator[ResourceManager]:
    """Open the Resource Manager of the cloud that a registry of Azure belongs to."""
    ending = host_name(registry).rpartition(".")[2]
    endpoint, scope = _ENDPOINTS[ending]
    settings: Mapping[str, Any] = {
        "retry_total": retry.attempts - 1,
        "retry_backoff_factor": retry.first_delay,
        "retry_backoff_max": retry.longest_delay,
        "connection_timeout": timeouts.connect,
        "read_timeout": timeouts.idle,
    }
    with ContainerRegistryManagementClient(
        credential_of(registry),
        subscription,
        base_url=endpoint,
        credential_scopes=[scope],
        **settings,
    ) as client:
        yield ResourceManager(client, subscription)


@contextmanager
def _errors(registry: str, source: str = "") -> Iterator[None]:
    try:
        yield
    except AzureError as error:
        raise import_failures.explained(error, registry, source) from None


def _managed(found: Any) -> ManagedRegistry:
    return ManagedRegistry(str(found.id), str(found.name), str(found.login_server).lower())
