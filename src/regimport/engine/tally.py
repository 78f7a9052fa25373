"""Counts of what is done, or would be, at one target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from regimport.engine.plan import Action, Step

__all__ = ["Tally", "planned_tally"]


@dataclass(slots=True)
class Tally:
    """Counts at one target; sizes in bytes."""

    manifests_copied: int = 0
    manifests_present: int = 0
    blobs_copied: int = 0
    blobs_mounted: int = 0
    blobs_present: int = 0
    blobs_skipped: int = 0
    bytes_copied: int = 0
    bytes_mounted: int = 0
    bytes_present: int = 0

    def add_manifest(self, action: Action) -> None:
        """Count one manifest."""
        if action is Action.COPY:
            self.manifests_copied += 1
        else:
            self.manifests_present += 1

    def add_blob(self, action: Action, size: int) -> None:
        """Count one blob of `size` bytes."""
        if action is Action.COPY:
            self.blobs_copied += 1
            self.bytes_copied += size
        elif action is Action.MOUNT:
            self.blobs_mounted += 1
            self.bytes_mounted += size
        elif action is Action.PRESENT:
            self.blobs_present += 1
            self.bytes_present += size
        else:
            self.blobs_skipped += 1


def planned_tally(blobs: Sequence[Step], manifests: Sequence[Step]) -> Tally:
    """Count what a plan would do at one target."""
    tally = Tally()
    for step in manifests:
        tally.add_manifest(step.action)
    for step in blobs:
        tally.add_blob(step.action, step.descriptor.size)
    return tally
