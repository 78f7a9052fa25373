"""Which part of an image is wanted."""

from __future__ import annotations

from regimport.models.platform import Platform
from regimport.values import dataclass

__all__ = ["Selection"]


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
