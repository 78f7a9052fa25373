"""Counts of what is done, or would be, at one target."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace

from regimport.engine.steps import Action, Plan
from regimport.values import dataclass

__all__ = ["Tally"]

_ALL = frozenset(Action)


@dataclass(frozen=True, slots=True)
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

    @property
    def has_moved(self) -> bool:
        """Whether anything was copied or mounted."""
        return bool(self.manifests_copied or self.blobs_copied or self.blobs_mounted)

    def plus(self, other: Tally) -> Tally:
        """Return the sum of both counts."""
        names = [count.name for count in fields(self)]
        return Tally(*(getattr(self, name) + getattr(other, name) for name in names))

    @classmethod
    def of(cls, plan: Plan, actions: Collection[Action] = _ALL) -> Tally:
        """Return what the steps of a plan come to, those with one of `actions`."""
        tally = cls()
        for step in plan.manifests:
            if step.action in actions:
                tally = tally.with_manifest(step.action)
        for step in plan.blobs:
            if step.action in actions:
                tally = tally.with_blob(step.action, step.descriptor.size)
        return tally

    def with_manifest(self, action: Action) -> Tally:
        """Return these counts and one manifest more."""
        if action is Action.COPY:
            return replace(self, manifests_copied=self.manifests_copied + 1)
        return replace(self, manifests_present=self.manifests_present + 1)

    def with_blob(self, action: Action, size: int) -> Tally:
        """Return these counts and one blob of `size` bytes more."""
        if action is Action.SKIP:
            return replace(self, blobs_skipped=self.blobs_skipped + 1)
        if action is Action.MOUNT:
            return replace(
                self,
                blobs_mounted=self.blobs_mounted + 1,
                bytes_mounted=self.bytes_mounted + size,
            )
        if action is Action.PRESENT:
            return replace(
                self,
                blobs_present=self.blobs_present + 1,
                bytes_present=self.bytes_present + size,
            )
        return replace(
            self, blobs_copied=self.blobs_copied + 1, bytes_copied=self.bytes_copied + size
        )
