"""Ends a run when its caller says so, from another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["stopped_by"]

# How often a run that is over is noticed, in seconds; nobody waits for that.
_INTERVAL = 0.1


@contextmanager
def stopped_by(stop: threading.Event | None, interrupt: Callable[[], None]) -> Iterator[None]:
    """Call `interrupt` once, should `stop` be set before the end of the block."""
    if stop is None:
        yield
        return
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            if stop.wait(_INTERVAL):
                interrupt()
                return

    if stop.is_set():
        interrupt()
    else:
        threading.Thread(target=watch, name="regimport-stop", daemon=True).start()
    try:
        yield
    finally:
        over.set()
