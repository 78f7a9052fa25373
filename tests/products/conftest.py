"""Registries under their products' own names."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.miniature import Miniature
from support.world import World, led_here


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Names lead to this machine while the test runs."""
    with led_here(monkeypatch) as found:
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
