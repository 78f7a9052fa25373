"""Registries under any names, on real sockets of this machine, and copies among them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

import regimport
from regimport import CopyOptions, Credential, RetryPolicy
from regimport.engine.report import Report
from regimport.events import Event, Warned
from support.images import Image, single
from support.miniature import Door, Miniature, everybody
from support.scripted import Heard, Script, Scripted

# A registry whose references name a host that does not serve the API.
_ENDPOINTS = {"registry-1.docker.io": "docker.io"}


class World:
    """Where names lead to, and copies that go by them."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.places: dict[str, tuple[str, int]] = {}
        self.servers: dict[str, Scripted] = {}
        self.warnings: list[str] = []
        self.image: Image = single()

    def serve(self, name: str, script: Script) -> Scripted:
        """Run a server that the name leads to."""
        server = self._stack.enter_context(Scripted(script))
        host, _, port = server.address.partition(":")
        self.places[name.partition(":")[0]] = host, int(port)
        self.servers[name] = server
        return server

    def registry(self, name: str, *holding: str, door: Door = everybody) -> Miniature:
        """Run a registry under a name; it holds the image in the repositories `holding`."""
        registry = Miniature(door)
        for repository in holding:
            registry.hold(repository, self.image)
        self.serve(name, registry)
        return registry

    def copy(
        self,
        source: str,
        target: str,
        source_credential: Credential | None = None,
        target_credential: Credential | None = None,
        **options: Any,
    ) -> Report:
        plain = {_ENDPOINTS.get(name, name) for name in self.servers}
        policy = RetryPolicy(first_delay=0, longest_delay=0)
        return regimport.copy(
            source,
            target,
            options=CopyOptions(plain_http=frozenset(plain), retry=policy, **options),
            source_credential=source_credential,
            target_credential=target_credential,
            reporter=self,
        )

    def tell(self, event: Event) -> None:
        if isinstance(event, Warned):
            self.warnings.append(event.message)

    def heard(self, name: str, method: str = "") -> list[Heard]:
        """What was asked of the server of a name."""
        return [heard for heard in self.servers[name].heard if method in {"", heard.method}]

    def said(self, name: str) -> set[str | None]:
        """What was said to the server of a name about who asks."""
        return {heard.authorization for heard in self.heard(name)}

    def blobs_sent(self, name: str) -> list[str]:
        """The digest of each blob that was sent to the server of a name."""
        paths = [heard.path for heard in self.heard(name, "PUT")]
        return [path.partition("digest=")[2] for path in paths if "digest=" in path]


@contextmanager
def led_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Names lead to this machine until the block ends."""
    find: Callable[..., Any] = socket.getaddrinfo
    with ExitStack() as stack:
        found = World(stack)

        def lookup(host: str | bytes, port: object, *rest: Any, **more: Any) -> Any:
            place = found.places.get(host if isinstance(host, str) else host.decode())
            if place is None:
                return find(host, port, *rest, **more)
            return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)]

        monkeypatch.setattr(socket, "getaddrinfo", lookup)
        yield found
