"""Platforms: the system an image of an index is for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from regimport.errors import InvalidReference
from regimport.redact import safe_text

__all__ = ["Platform"]

_PART = re.compile(r"[A-Za-z0-9_.-]+")

# Spellings that mean the same to everybody (as containerd normalises them).
_ARCHITECTURES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm",
    "i386": "386",
    "i686": "386",
}
# An index that names no variant means this one.
_DEFAULT_VARIANTS = {"arm64": "v8", "arm": "v7"}


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform of the OCI image index specification: `os/architecture[/variant]`."""

    os: str
    architecture: str
    variant: str | None = None
    os_version: str | None = None

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read `os/architecture[/variant]`; raises `InvalidReference`."""
        parts = text.split("/")
        if not 2 <= len(parts) <= 3 or not all(_PART.fullmatch(part) for part in parts):
            raise InvalidReference(
                f"invalid platform {text!r}",
                hint="write it as os/architecture or os/architecture/variant, e.g. linux/arm64",
            )
        os, architecture, *rest = (part.lower() for part in parts)
        variant = rest[0] if rest else None
        if variant is None and architecture == "armhf":
            variant = "v7"
        return cls(os, _ARCHITECTURES.get(architecture, architecture), variant)

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

    @property
    def known(self) -> bool:
        """Whether it names a system; attestations are filed under `unknown/unknown`."""
        return self.os != "unknown" or self.architecture != "unknown"

    @property
    def usual(self) -> Platform:
        """The same platform with the variant that is meant where none is named."""
        default = _DEFAULT_VARIANTS.get(self.architecture)
        return self if self.variant else replace(self, variant=default)

    def matches(self, wanted: Platform) -> bool:
        """Tell whether this platform is what `wanted` asks for; a variant not asked for is free."""
        if (self.os, self.architecture) != (wanted.os, wanted.architecture):
            return False
        if wanted.os_version is not None and wanted.os_version != self.os_version:
            return False
        default = _DEFAULT_VARIANTS.get(self.architecture)
        return wanted.variant is None or wanted.variant == (self.variant or default)
