"""Registries under their products' own names."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.miniature import Miniature
from support.world import World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Names lead to this machine while the test runs."""
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


@pytest.fixture
def here(world: World) -> Miniature:
    """A registry that lets everybody in, for the other side of a copy."""
    return world.registry("here.example", "team/app")


@pytest.fixture
def logged_in() -> Callable[[object], Path]:
    """Write Docker's config.json, as `docker login` leaves it."""

    def write(document: object) -> Path:
        path = Path(os.environ["HOME"]) / ".docker" / "config.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document))
        path.chmod(0o600)
        return path

    return write
