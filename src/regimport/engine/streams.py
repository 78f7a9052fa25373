"""A second thread for a stream, and a stream that is sent to many."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence

__all__ = ["SecondThread", "fan_out"]


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
