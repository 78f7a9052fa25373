"""Platforms: the system an image of an index is for; and which part of an image is wanted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from regimport.errors import InvalidReference
from regimport.models.names import valid_text
from regimport.redact import safe_text

__all__ = ["Platform", "Selection"]

# No part of a platform's name is longer, in characters: a thousand of them may be kept.
_MOST_CHARACTERS = 200
_PART = re.compile(r"[A-Za-z0-9_.-]+")

# Other spellings of the same architecture (as containerd normalises them).
_ARCHITECTURES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm",
    "i386": "386",
    "i686": "386",
}
# The variant that is meant where an index names none (as containerd normalises them).
_DEFAULT_VARIANTS = {"amd64": "v1", "arm64": "v8", "arm": "v7"}


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform of the OCI image index specification: `os/architecture[/variant][:version]`.

    `os_version` is the version of the system, which images of Windows have: `10.0.20348.1`.
    """

    os: str
    architecture: str
    variant: str | None = None
    os_version: str | None = None

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read `os/architecture[/variant][:version]`, or raise `InvalidReference`."""
        name, colon, version = text.partition(":")
        parts = name.split("/")
        written = [*parts, version] if colon else parts
        if not 2 <= len(parts) <= 3 or not all(_PART.fullmatch(part) for part in written):
            raise InvalidReference(
                f"invalid platform {text[:160]!r}",
                hint="write it as os/architecture or os/architecture/variant, e.g. linux/arm64; "
                "a version of Windows follows a colon: windows/amd64:10.0.20348",
            )
        os, architecture, *rest = (part.lower() for part in parts)
        variant = rest[0] if rest else None
        if variant is None and architecture == "armhf":
            variant = "v7"
        return cls(os, _ARCHITECTURES.get(architecture, architecture), variant, version or None)

    @classmethod
    def from_json(cls, value: object) -> Platform | None:
        """Read the `platform` of a descriptor; None if it is missing or not valid."""
        if not isinstance(value, Mapping):
            return None
        os, architecture = value.get("os"), value.get("architecture")
        if not isinstance(os, str) or not isinstance(architecture, str):
            return None
        return cls(
            _short(os) or "",
            _short(architecture) or "",
            _short(value.get("variant")) or None,
            _short(value.get("os.version")) or None,
        )

    def __str__(self) -> str:
        """Return the platform as users write it, safe to show."""
        parts = (self.os, self.architecture, self.variant)
        name = "/".join(safe_text(part, 60) for part in parts if part)
        return f"{name}:{safe_text(self.os_version, 60)}" if self.os_version else name

    @property
    def known(self) -> bool:
        """Whether it names a system; attestations have the platform `unknown/unknown`."""
        return self.os != "unknown" or self.architecture != "unknown"

    @property
    def usual(self) -> Platform:
        """The same platform with the default variant, if it names none."""
        default = _DEFAULT_VARIANTS.get(self.architecture)
        return self if self.variant else replace(self, variant=default)

    def matches(self, wanted: Platform) -> bool:
        """Return whether this platform is `wanted`.

        If that has no variant, any variant will do. Its version may be the first components of
        this one's.
        """
        if (self.os, self.architecture) != (wanted.os, wanted.architecture):
            return False
        if wanted.os_version is not None:
            version = f"{self.os_version or ''}."
            if not version.startswith(f"{wanted.os_version.rstrip('.')}."):
                return False
        default = _DEFAULT_VARIANTS.get(self.architecture)
        return wanted.variant is None or wanted.variant == (self.variant or default)


@dataclass(frozen=True, slots=True)
class Selection:
    """The part of an image that is wanted: some of its platforms, with or without attestations.

    No platforms means all of them. With `as_index`, a single platform makes an index, too.
    """

    platforms: tuple[Platform, ...] = ()
    as_index: bool = False
    attestations: bool = True

    @property
    def whole(self) -> bool:
        """Whether all of the image is wanted."""
        return self.attestations and not self.platforms

    @property
    def makes_index(self) -> bool:
        """Whether the part has an index, rather than being the manifest of one platform."""
        return self.as_index or len(self.platforms) != 1


def _short(value: object) -> str | None:
    """Return a part of a platform's name, valid and bounded; None if it is no text."""
    return valid_text(value[:_MOST_CHARACTERS]) if isinstance(value, str) else None
