"""The version of regimport, in one place, and the systems that it runs on."""

from __future__ import annotations

import sys

__version__ = "0.1.0"


def unsupported_system() -> str | None:
    """Return a message if regimport does not run on this system."""
    if sys.platform == "win32":
        return "regimport runs on Linux and macOS; on Windows, use it in WSL"
    return None
