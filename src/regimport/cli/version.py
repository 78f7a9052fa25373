"""`regimport version`."""

from __future__ import annotations

from regimport._version import __version__

__all__ = ["version"]


def version() -> None:
    """Print the version, as --version does.

    Example: regimport version
    """
    print(f"regimport {__version__}")
