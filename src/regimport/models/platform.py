"""Platforms: the system an image of an index is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from regimport.redact import safe_text

__all__ = ["Platform"]


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform of the OCI image index specification: `os/architecture[/variant]`."""

    os: str
    architecture: str
    variant: str | None = None
    os_version: str | None = None

    @classmethod
    def from_json(cls, value: object) -> Platform | None:
        """Read the `platform` of a descriptor; None where there is none that can be read."""
        if not isinstance(value, Mapping):
            return None
        os, architecture = value.get("os"), value.get("architecture")
        if not isinstance(os, str) or not isinstance(architecture, str):
            return None
        variant, version = value.get("variant"), value.get("os.version")
        return cls(
            os,
            architecture,
            variant if isinstance(variant, str) and variant else None,
            version if isinstance(version, str) and version else None,
        )

    def __str__(self) -> str:
        """Give the platform as users write it, safe to show."""
        parts = (self.os, self.architecture, self.variant)
        return "/".join(safe_text(part, 60) for part in parts if part)
