"""Threads: a bounded pool, a second thread for a stream, and a stream that is sent to many.

All threads of the engine are here; the rest is plain functions on values.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Self, TypeVar

from regimport.engine.tasks import Batch, Task
from regimport.errors import DeadlineExceeded, Interrupted, RegimportError

__all__ = ["SecondThread", "Workers", "fan_out"]

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
        self._batch: Batch | None = None
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

        A need that is no task's key counts as done. Tasks must not form a circle. Raise
        `DeadlineExceeded`, also in the midst of the tasks.
        """
        batch = Batch.of(list(tasks))
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

    def _claim(self) -> tuple[Batch, Task] | None:
        with self._changed:
            while not self._closed:
                batch = self._batch
                if batch is not None and batch.ready and batch.error is None:
                    return batch, batch.pop()
                self._changed.wait()
            return None

    def _settle(self, batch: Batch, task: Task, error: BaseException | None) -> None:
        with self._changed:
            batch.settle(task, error)
            self._changed.notify_all()


class SecondThread:
    """A thread that makes calls for another one, in their order."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._pending = 0
        self._thread = threading.Thread(target=self._work, name="regimport-second", daemon=True)
        self._thread.start()

    def submit(self, call: Callable[[], None]) -> None:
        """Have a call made after those that were submitted before."""
        self._pending += 1
        self._calls.put(call)

    def wait(self, pending: int = 0) -> None:
        """Wait until at most so many calls are pending; raise what one of the others raised."""
        while self._pending > pending:
            error = self._ended.get()
            self._pending -= 1
            if error is not None:
                raise error

    def close(self) -> None:
        """End the thread, after the calls that are pending."""
        self._calls.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            error: BaseException | None = None
            try:
                call()
            except BaseException as caught:  # raised again where wait() is called
                error = caught
            self._ended.put(error)


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
        """Hand a piece on; return False once the receiver has ended."""
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
    """Send one stream to several receivers at once; return the error of each, or None.

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
