"""Counts what a copy waits for: requests are answered in waves, all that can go at once in one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from support.scripted import Heard, Say, Script

# A wave is over when nothing more comes for so long, in seconds.
_QUIET = 0.15


@dataclass
class _Held:
    name: str
    released: threading.Event = field(default_factory=threading.Event)


class Waves:
    """Holds every request until no more come, then lets them go together.

    Each wave is a round trip that the copy had to wait for; `all` has the names of its requests.
    """

    def __init__(self) -> None:
        self.all: list[list[str]] = []
        self._held: list[_Held] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._release)

    def of(self, side: str, script: Script, name: Callable[[Heard], str]) -> Script:
        """Return a script whose answers come with the wave."""

        def held(heard: Heard) -> Say:
            request = _Held(f"{side} {name(heard)}")
            with self._changed:
                self._held.append(request)
                self._changed.notify_all()
            request.released.wait(60)
            return script(heard)

        return held

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _release(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._held or self._closed)
                if self._closed:
                    return
                while self._changed.wait(_QUIET):
                    pass
                wave, self._held = self._held, []
            self.all.append(sorted({request.name for request in wave}))
            for request in wave:
                request.released.set()
