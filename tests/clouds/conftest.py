"""Azure's cloud on this machine, for the tests of imports."""

from __future__ import annotations

from support.azure_cloud import cloud

__all__ = ["cloud"]
