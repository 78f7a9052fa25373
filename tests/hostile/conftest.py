"""Registries under any names, for attacks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.world import World, led_here


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Names lead to this machine while the test runs."""
    with led_here(monkeypatch) as found:
        yield found
