"""The systems that regimport runs on, and what its extras install."""

from __future__ import annotations

import sys

__all__ = ["install_command", "unsupported_system"]

# As in pyproject.toml. Named one by one, they can be installed beside a regimport from anywhere.
_EXTRAS = {
    "aws": ("boto3>=1.28",),
    "azure": ("azure-identity>=1.15",),
    "google": ("google-auth[requests]>=2.20",),
    "serve": ("starlette>=0.40", "uvicorn>=0.30"),
    "socks": ("httpx[socks]",),
}


def install_command(extra: str) -> str:
    """Return the command that installs what is in an extra."""
    return " ".join(["pip install", *(f"'{package}'" for package in _EXTRAS[extra])])


def unsupported_system() -> str | None:
    """Return a message if regimport does not run on this system."""
    if sys.platform == "win32":
        return "regimport runs on Linux and macOS; on Windows, use it in WSL"
    return None
