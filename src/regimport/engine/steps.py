"""What is to be done at a target, as values: an action for each manifest and blob."""

from __future__ import annotations

from enum import StrEnum

from regimport.models.descriptor import Descriptor
from regimport.values import dataclass

__all__ = ["Action", "Plan", "Step"]


class Action(StrEnum):
    """What is to be done with a manifest or a blob at a target."""

    PRESENT = "present"
    MOUNT = "mount"
    COPY = "copy"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Step:
    """One manifest or blob at one target; foreign layers that the source lacks are skipped."""

    descriptor: Descriptor
    action: Action


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to be done at one target.

    `manifests` come children first, the root last.
    """

    blobs: tuple[Step, ...]
    manifests: tuple[Step, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps: the blobs, then the manifests."""
        return self.blobs + self.manifests
