"""What the extras of regimport install."""

from __future__ import annotations

__all__ = ["install_command"]

# As in pyproject.toml. Named one by one, they can be installed beside a regimport from anywhere.
_EXTRAS = {
    "aws": ("boto3>=1.28",),
    "azure": ("azure-identity>=1.16.1", "azure-mgmt-containerregistry>=15"),
    "google": ("google-auth[requests]>=2.20", "requests>=2.33"),
    "serve": ("bcrypt>=4", "starlette>=1.3.1", "uvicorn>=0.30"),
    "socks": ("httpx[socks]",),
}


def install_command(extra: str) -> str:
    """Return the command that installs what is in an extra."""
    return " ".join(["pip install", *(f"'{package}'" for package in _EXTRAS[extra])])
