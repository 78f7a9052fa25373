"""A connection as a server has it that may misbehave on it."""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import termios
import time
from contextlib import suppress

_PIECE = 64 * 1024


class Stream:
    """Reads lines and bytes, writes bytes, and ends in each way that a connection can end."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._held = b""

    def line(self) -> bytes:
        """A line without its end; b"" also at the end of the connection."""
        while b"\n" not in self._held:
            more = self.socket.recv(_PIECE)
            if not more:
                return b""
            self._held += more
        line, _, self._held = self._held.partition(b"\n")
        return line.rstrip(b"\r")

    def read(self, size: int) -> bytes:
        """At most `size` bytes, as soon as there are any; b"" at the end of the connection."""
        if not self._held:
            return self.socket.recv(min(size, _PIECE))
        piece, self._held = self._held[:size], self._held[size:]
        return piece

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def linger(self) -> None:
        """Read nothing and say nothing until the client or the test has gone."""
        poll = select.poll()
        poll.register(self.socket, select.POLLRDHUP)
        poll.poll(60_000)

    def end(self) -> None:
        """Say that nothing more will come, and read away what still comes."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
            while self.socket.recv(_PIECE):
                pass
        self.close()

    def close(self) -> None:
        """Close it as TCP does; with TLS without the farewell that TLS wants."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def reset(self) -> None:
        """Break it off (RST), once the other side's kernel has all that was sent."""
        with suppress(OSError):
            self._flush()
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _flush(self) -> None:
        for _ in range(1000):
            unsent = fcntl.ioctl(self.socket.fileno(), termios.TIOCOUTQ, b"\0" * 4)
            if not struct.unpack("i", unsent)[0]:
                return
            time.sleep(0.001)  # nothing tells when a queue has run empty
