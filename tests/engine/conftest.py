"""Sessions with the tests' registries."""

from __future__ import annotations

from registry.conftest import Sessions, sessions

__all__ = ["Sessions", "sessions"]
