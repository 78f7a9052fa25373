"""Threads: a bounded pool, tasks that wait for each other, and one stream sent to many.

All concurrency of the engine is here; the rest is plain functions on values.
"""

from __future__ import annotations

import heapq
import queue
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self, TypeVar

from regimport.errors import DeadlineExceeded, Interrupted, RegimportError

__all__ = ["Task", "Workers", "fan_out"]

_T = TypeVar("_T")
_R = TypeVar("_R")

# How long a stopped pool waits for all its threads together to tidy up, in seconds.
_FAREWELL = 1.0


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work: `action` runs once all the keys in `needs` are done; heavy ones first."""

    key: Hashable
    action: Callable[[], None]
    needs: frozenset[Hashable] = frozenset()
    weight: int = 0


@dataclass(slots=True)
class _Batch:
    """The tasks of one `run`, and how far they are."""

    waiting: dict[Hashable, set[Hashable]]
    dependents: dict[Hashable, list[Task]]
    left: int
    error: BaseException | None = None
    ready: list[tuple[int, int, Task]] = field(default_factory=list)
    counter: int = 0

    def push(self, task: Task) -> None:
        self.counter += 1
        heapq.heappush(self.ready, (-task.weight, self.counter, task))


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
        self._batch: _Batch | None = None
        self._closed = False

    def __enter__(self) -> Self:
        if self._deadline is not None:
            self._timer = threading.Timer(self._deadline, self._expire, [self._deadline])
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            # What is still under way is for nothing: it need not come to its end.
            self.stop.set()
        self.close()

    def map(self, function: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
        """Give `function` of every item, in order; the first error ends the rest and is raised."""
        todo = list(items)
        results: dict[int, _R] = {}

        def task(position: int, item: _T) -> Task:
            return Task(position, lambda: results.__setitem__(position, function(item)))

        self.run(task(position, item) for position, item in enumerate(todo))
        return [results[position] for position in range(len(todo))]

    def run(self, tasks: Iterable[Task]) -> None:
        """Do all tasks, each after those it needs; the first error ends the rest and is raised.

        A need that is no task's key counts as done. Tasks must not form a circle. Raises
        `DeadlineExceeded`, also in the midst of the tasks.
        """
        batch = _batch_of(list(tasks))
        if not batch.left:
            return
        with self._changed:
            if self._ended is not None:
                raise self._ended
            self._batch = batch
            self._grow(min(self.jobs, batch.left))
            self._changed.notify_all()
            try:
                while batch.left and batch.error is None:
                    self._changed.wait()
            except BaseException:
                self.stop.set()
                raise
            finally:
                self._batch = None
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
        """End the threads; work that is under way is given a moment to stop by itself."""
        if self._timer is not None:
            self._timer.cancel()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        latest = time.monotonic() + _FAREWELL
        for thread in self._threads:
            left = max(0.0, latest - time.monotonic())
            thread.join(left if self.stop.is_set() else None)
        if self._timer is not None:
            self._timer.join()

    def _expire(self, seconds: float) -> None:
        self._end(DeadlineExceeded(seconds))

    def _end(self, error: RegimportError) -> None:
        with self._changed:
            self._ended = error
            if self._batch is not None and self._batch.left and self._batch.error is None:
                self._batch.error = error
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

    def _claim(self) -> tuple[_Batch, Task] | None:
        with self._changed:
            while not self._closed:
                batch = self._batch
                if batch is not None and batch.ready and batch.error is None:
                    return batch, heapq.heappop(batch.ready)[2]
                self._changed.wait()
            return None

    def _settle(self, batch: _Batch, task: Task, error: BaseException | None) -> None:
        with self._changed:
            batch.left -= 1
            if error is not None and batch.error is None:
                batch.error = error
            for dependent in batch.dependents.get(task.key, ()):
                needs = batch.waiting[dependent.key]
                needs.discard(task.key)
                if not needs:
                    batch.push(dependent)
            self._changed.notify_all()


def _batch_of(tasks: Sequence[Task]) -> _Batch:
    keys = {task.key for task in tasks}
    batch = _Batch({}, {}, len(tasks))
    for task in tasks:
        needs = set(task.needs & keys)
        batch.waiting[task.key] = needs
        for need in needs:
            batch.dependents.setdefault(need, []).append(task)
        if not needs:
            batch.push(task)
    return batch


# How many pieces may wait for a slow receiver, so that a fast one is not held up at once.
_QUEUED_PIECES = 2
_END = object()


class _Branch:
    """One receiver of a stream: a short queue, and the thread that empties it."""

    def __init__(self, receive: Callable[[Iterator[bytes]], None]) -> None:
        self.error: BaseException | None = None
        self._queue: queue.Queue[object] = queue.Queue(_QUEUED_PIECES)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(receive,), daemon=True)
        self._thread.start()

    def feed(self, piece: object) -> bool:
        """Hand a piece on; False once the receiver has ended."""
        while not self._done.is_set():
            try:
                self._queue.put(piece, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def join(self) -> None:
        self._thread.join()

    def _run(self, receive: Callable[[Iterator[bytes]], None]) -> None:
        try:
            receive(self._pieces())
        except BaseException as caught:  # handed to the caller of fan_out
            self.error = caught
        finally:
            self._done.set()

    def _pieces(self) -> Iterator[bytes]:
        while (piece := self._queue.get()) is not _END:
            if isinstance(piece, BaseException):
                raise piece
            assert isinstance(piece, bytes)
            yield piece


def fan_out(
    content: Iterator[bytes], receivers: Sequence[Callable[[Iterator[bytes]], None]]
) -> list[BaseException | None]:
    """Give one stream to several receivers at once; gives the error of each, or None.

    A receiver that fails does not end the others. What `content` raises reaches all of them.
    """
    if len(receivers) == 1:
        try:
            receivers[0](content)
        except Exception as error:  # the caller decides what each error means
            return [error]
        return [None]
    branches = [_Branch(receive) for receive in receivers]
    last: object = _END
    try:
        for piece in content:
            kept = bytes(piece)
            listening = [branch.feed(kept) for branch in branches]
            if not any(listening):
                break
    except Exception as error:  # raised in every receiver
        last = error
    for branch in branches:
        branch.feed(last)
    for branch in branches:
        branch.join()
    return [branch.error for branch in branches]
