"""Copy container images from registry to registry: no daemon, no disk, digests unchanged."""

from __future__ import annotations

from regimport._version import __version__

__all__ = ["__version__"]
