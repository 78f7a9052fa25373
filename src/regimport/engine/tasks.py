"""Tasks, and which of them are ready to be done: those whose needs are done."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Sequence

from regimport.values import dataclass, field

__all__ = ["Batch", "Task"]


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work: `action` runs once all the keys in `needs` are done; heavy ones first.

    Of all tasks with the same `alone`, one is done at a time, whoever wants them done.
    """

    key: Hashable
    action: Callable[[], None]
    needs: frozenset[Hashable] = frozenset()
    weight: int = 0
    alone: Hashable = None


@dataclass(slots=True)
class Batch:
    """The tasks of a run, and how far they are; not safe for threads by itself."""

    waiting: dict[Hashable, set[Hashable]]
    dependents: dict[Hashable, list[Task]]
    left: int
    error: BaseException | None = None
    ready: list[tuple[int, int, Task]] = field(default_factory=list)
    counter: int = 0

    @classmethod
    def of(cls, tasks: Sequence[Task]) -> Batch:
        """Return a batch of the tasks; a need that is no task's key counts as done."""
        keys = {task.key for task in tasks}
        batch = cls({}, {}, len(tasks))
        for task in tasks:
            needs = set(task.needs & keys)
            batch.waiting[task.key] = needs
            for need in needs:
                batch.dependents.setdefault(need, []).append(task)
            if not needs:
                batch.push(task)
        return batch

    def push(self, task: Task) -> None:
        """Add a task that is ready; heavy ones are claimed first."""
        self.counter += 1
        heapq.heappush(self.ready, (-task.weight, self.counter, task))

    def pop(self, busy: set[Hashable]) -> Task | None:
        """Take the heaviest task that is ready and may be done beside what is `busy`; add it."""
        skipped: list[tuple[int, int, Task]] = []
        found: Task | None = None
        while found is None and self.ready:
            entry = heapq.heappop(self.ready)
            if entry[2].alone in busy:
                skipped.append(entry)
            else:
                found = entry[2]
        for entry in skipped:
            heapq.heappush(self.ready, entry)
        if found is not None and found.alone is not None:
            busy.add(found.alone)
        return found

    def settle(self, task: Task, error: BaseException | None) -> None:
        """Note that a task has ended; those that needed only this one become ready."""
        self.left -= 1
        if error is not None and self.error is None:
            self.error = error
        for dependent in self.dependents.get(task.key, ()):
            needs = self.waiting[dependent.key]
            needs.discard(task.key)
            if not needs:
                self.push(dependent)
