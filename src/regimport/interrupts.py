"""What an interrupted program has to end in order: work that must be tidied up, child processes.

Nothing here happens by itself, and no signal handler is installed. The command line interrupts
what is registered when it is told to end; a program that uses the library has its own ways.
"""

from __future__ import annotations

from _thread import allocate_lock

TYPE_CHECKING = False  # as in `typing`, which takes long to load
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["INTERRUPTS", "Interrupts"]


class Registration:
    """An entry that is taken out at the end of its `with` block."""

    def __init__(
        self, entries: dict[Registration, Callable[[], None]], action: Callable[[], None]
    ) -> None:
        self._entries = entries
        self._entries[self] = action

    def __enter__(self) -> None:
        """Stay registered."""

    def __exit__(self, *_: object) -> None:
        self._entries.pop(self, None)


class Interrupts:
    """The work and the child processes of this program; shared by threads.

    `interrupted` says that the work is to end; `writing` that a part of it may be at a target.
    """

    def __init__(self) -> None:
        self.interrupted = False
        self.writing = False
        # Held while a process is started: until it is registered, nobody could kill it.
        self.starting = allocate_lock()
        self._work: dict[Registration, Callable[[], None]] = {}
        self._processes: dict[Registration, Callable[[], None]] = {}

    @property
    def pending(self) -> bool:
        """Whether there is work that ends in order once it is interrupted."""
        return bool(self._work)

    def working(self, stop: Callable[[], None], *, writing: bool = False) -> Registration:
        """Register work that must not be cut off; `stop`, called from another thread, ends it."""
        self.writing = self.writing or writing
        registration = Registration(self._work, stop)
        if self.interrupted:
            stop()
        return registration

    def process(self, kill: Callable[[], None]) -> Registration:
        """Register a child process; `kill` ends and reaps it, and may be called more than once."""
        return Registration(self._processes, kill)

    def interrupt(self) -> None:
        """End the work, and the child processes."""
        self.interrupted = True
        for stop in list(self._work.values()):
            stop()
        self._kill()

    def end_processes(self, seconds: float) -> None:
        """Kill all child processes and let none be started any more; wait `seconds` at most."""
        self.interrupted = True
        self.starting.acquire(timeout=seconds)  # and never released: the program ends
        self._kill()

    def _kill(self) -> None:
        for kill in list(self._processes.values()):
            kill()


INTERRUPTS = Interrupts()
