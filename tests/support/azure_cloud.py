"""Azure's cloud on this machine: a login, Resource Manager, and registries under their names."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from types import SimpleNamespace
from typing import Any

import pytest
import trustme

from regimport import CopyOptions, Importing, ImportReport, RetryPolicy, import_image
from regimport.clouds import azure, resource_manager
from regimport.events import Event, Warned
from support.miniature import Miniature
from support.resource_manager import NAMES, SUBSCRIPTION, FakeManager, resource_id
from support.scripted import Scripted
from support.world import World, led_here

HOST = "myregistry.azurecr.io"


class Login:
    """What azure-identity's default chain is to us; its token is the scope that it is for."""

    def __init__(self, authority: str) -> None:
        self.authority = authority

    def get_token(self, *scopes: str, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(token=f"for-{scopes[0]}", expires_on=int(time.time()) + 3600)


class Cloud:
    """Resource Manager, a registry of Azure that it imports into, and imports there."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.manager = FakeManager({HOST: resource_id("myregistry")}, self._imported)
        self.target = world.registry(HOST)
        self.events: list[Event] = []

    def _imported(self, asked: dict[str, Any]) -> None:
        for tag in asked.get("targetTags", []):
            repository, _, name = tag.partition(":")
            self.target.hold(repository, self.world.image, name)
        for repository in asked.get("untaggedTargetRepositories", []):
            self.target.hold(repository, self.world.image, "none")
            del self.target.manifests[repository]["none"]

    def source(self, name: str = "registry.example", repository: str = "team/app") -> Miniature:
        return self.world.registry(name, repository)

    def run(self, source: str, *targets: str | Sequence[str], **more: Any) -> ImportReport:
        options = {name: more.pop(name) for name in list(more) if name in _OPTIONS}
        policy = RetryPolicy(attempts=1, first_delay=0, longest_delay=0)
        plain = frozenset(self.world.servers)
        return import_image(
            source,
            *targets,
            options=CopyOptions(plain_http=plain, retry=policy, **options),
            reporter=self,
            **more,
        )

    def tell(self, event: Event) -> None:
        self.events.append(event)

    @property
    def warnings(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Warned)]

    @property
    def progress(self) -> list[Importing]:
        return [event for event in self.events if isinstance(event, Importing)]

    @property
    def asked(self) -> dict[str, Any]:
        (asked,) = self.manager.asked
        return asked


_OPTIONS = {
    "no_clobber",
    "dry_run",
    "deadline",
    "platforms",
    "referrers",
    "foreign_layers",
    "limit_rate",
    "verify",
    "create_repository",
    "limits",
}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, ca_file: Path) -> Iterator[Cloud]:
    """A login, and names that lead to the fakes; nothing waits between two looks."""
    monkeypatch.setattr(azure, "DefaultAzureCredential", Login)
    azure._chain.cache_clear()
    monkeypatch.setattr(resource_manager, "_INTERVAL", 0)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_file))
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION)
    context = SSLContext(PROTOCOL_TLS_SERVER)
    authority.issue_cert(*NAMES).configure_cert(context)
    with led_here(monkeypatch) as world:
        found = Cloud(world)
        with Scripted(found.manager, context) as server:
            host, _, port = server.address.partition(":")
            world.places.update(dict.fromkeys(NAMES, (host, int(port))))
            yield found
    azure._chain.cache_clear()
