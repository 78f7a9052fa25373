"""Threads: a bounded pool, which several jobs may share.

All threads of the engine are here and in `streams.py`; the rest is plain functions on values.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Self, TypeVar

from regimport.engine.tasks import Batch, Task
from regimport.errors import DeadlineExceeded, Interrupted, RegimportError

__all__ = ["Workers"]

_T = TypeVar("_T")
_R = TypeVar("_R")

# How long a pool that is closed waits, in seconds, for all its threads together: for those of a
# stopped pool, and for what goes on in the background.
_CLOSING_TIME = 1.0


class Workers:
    """A pool of `jobs` threads; `stop` is set when the work is to end before it is done.

    `deadline` is how long it may take, in seconds from when it is entered.
    """

    def __init__(self, jobs: int, deadline: float | None = None) -> None:
        self.jobs = jobs
        self.stop = threading.Event()
        self._deadline = deadline
        self._ended: RegimportError | None = None
        self._timer: threading.Timer | None = None
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._background: list[threading.Thread] = []
        # The work of each caller of `run`, the oldest first, and what only one task may do at once.
        self._batches: list[Batch] = []
        self._busy: set[Hashable] = set()
        self._closed = False

    def __enter__(self) -> Self:
        if self._deadline is not None:
            self._timer = threading.Timer(self._deadline, self._expire, [self._deadline])
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            # Nobody waits for the result of what is still going on.
            self.stop.set()
        self.close()

    def map(self, function: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
        """Return the results in the order of the items; the first error ends the rest."""
        todo = list(items)
        results: dict[int, _R] = {}

        def task(position: int, item: _T) -> Task:
            return Task(position, lambda: results.__setitem__(position, function(item)))

        self.run(task(position, item) for position, item in enumerate(todo))
        return [results[position] for position in range(len(todo))]

    def call(self, function: Callable[[], _R]) -> _R:
        """Return the result of `function`; raise `DeadlineExceeded` should it take too long."""
        (result,) = self.map(lambda call: call(), [function])
        return result

    def iterate(self, items: Iterator[_T]) -> Iterator[_T]:
        """Yield what an iterator yields; raise `DeadlineExceeded` should its next take too long."""
        while following := self.call(lambda: list(islice(items, 1))):
            yield from following

    def several(
        self, function: Callable[[_T], _R], items: Iterable[_T], at_once: int
    ) -> Iterator[_R]:
        """Call `function` for each item, for `at_once` of them at the same time.

        Yield the results in the order of the items, each as soon as it is there and those before
        it. Unlike those of `map`, these calls may use the pool themselves, and share its threads.
        The first error ends all of it, as does whoever asks for no more results.
        """
        todo = list(items)
        waiting = iter(range(len(todo)))
        results: dict[int, _R] = {}
        errors: list[BaseException] = []

        def drive() -> None:
            while not self.stop.is_set():
                with self._changed:
                    position = next(waiting, len(todo))
                if position == len(todo):
                    return
                try:
                    result = function(todo[position])
                except BaseException as caught:  # raised again for whoever asks for the results
                    with self._changed:
                        errors.append(caught)
                        self._changed.notify_all()
                    return
                with self._changed:
                    results[position] = result
                    self._changed.notify_all()

        self.start([drive] * min(at_once, len(todo)))
        try:
            for position in range(len(todo)):
                yield self._awaited(position, results, errors)
        except BaseException:
            self.interrupt()
            raise

    def _awaited(
        self, position: int, results: dict[int, _R], errors: Sequence[BaseException]
    ) -> _R:
        with self._changed:
            while position not in results and not errors and self._ended is None:
                self._changed.wait()
        if position in results:
            return results.pop(position)
        raise self._ended or errors[0]

    def start(self, calls: Iterable[Callable[[], None]]) -> None:
        """Make calls in the background, each in a thread of its own, and wait for none of them.

        A call must not raise. One that takes long may outlive the pool.
        """
        for call in calls:
            thread = threading.Thread(target=call, name="regimport-background", daemon=True)
            self._background.append(thread)
            thread.start()

    def run(self, tasks: Iterable[Task]) -> None:
        """Do all tasks, each after those it needs; the first error ends the rest and is raised.

        A need that is no task's key counts as done. Tasks must not form a circle. Several threads
        may have tasks done at once: whose call came first is served first. Raise
        `DeadlineExceeded`, also in the midst of the tasks.
        """
        batch = Batch.of(list(tasks))
        if not batch.left:
            return
        with self._changed:
            if self._ended is not None:
                raise self._ended
            self._batches.append(batch)
            self._grow(min(self.jobs, sum(each.left for each in self._batches)))
            self._changed.notify_all()
            try:
                while batch.left and batch.error is None:
                    self._changed.wait()
            except BaseException:
                self.stop.set()
                raise
            finally:
                self._batches.remove(batch)
        if batch.error is not None:
            raise batch.error

    def widen(self, jobs: int) -> None:
        """Let up to `jobs` things go on at once from the next `map` or `run` on; never fewer."""
        self.jobs = max(self.jobs, jobs)

    def pause(self, seconds: float) -> None:
        """Wait, unless the work is stopped meanwhile; raises `Interrupted` then."""
        if self.stop.wait(seconds):
            raise Interrupted

    def interrupt(self) -> None:
        """End the work from another thread: `run` raises `Interrupted`, now and later."""
        self._end(Interrupted())

    def close(self) -> None:
        """End the threads; work that is going on is given a moment to stop by itself."""
        if self._timer is not None:
            self._timer.cancel()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        latest = time.monotonic() + _CLOSING_TIME
        for thread in self._threads + self._background:
            patient = not self.stop.is_set() and thread in self._threads
            thread.join(None if patient else max(0.0, latest - time.monotonic()))
        if self._timer is not None:
            self._timer.join()

    def _expire(self, seconds: float) -> None:
        self._end(DeadlineExceeded(seconds))

    def _end(self, error: RegimportError) -> None:
        with self._changed:
            self._ended = error
            for batch in self._batches:
                if batch.left and batch.error is None:
                    batch.error = error
            self.stop.set()
            self._changed.notify_all()

    def _grow(self, wanted: int) -> None:
        while len(self._threads) < wanted:
            thread = threading.Thread(
                target=self._work, name=f"regimport-{len(self._threads) + 1}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while (claimed := self._claim()) is not None:
            batch, task = claimed
            error: BaseException | None = None
            try:
                task.action()
            except BaseException as caught:  # raised again where run() was called
                error = caught
            self._settle(batch, task, error)

    def _claim(self) -> tuple[Batch, Task] | None:
        with self._changed:
            while not self._closed:
                for batch in self._batches:
                    task = batch.pop(self._busy) if batch.error is None else None
                    if task is not None:
                        return batch, task
                self._changed.wait()
            return None

    def _settle(self, batch: Batch, task: Task, error: BaseException | None) -> None:
        with self._changed:
            batch.settle(task, error)
            self._busy.discard(task.alone)
            self._changed.notify_all()
