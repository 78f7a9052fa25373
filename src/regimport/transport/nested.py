"""TLS inside the TLS of a proxy, which `ssl.SSLSocket` cannot speak."""

from __future__ import annotations

import ssl
from contextlib import suppress

from regimport.transport.stream import Stream

__all__ = ["NestedTls"]

_RECORD = 16 * 1024 + 512


class NestedTls:
    """Offers what `Stream` needs of a socket, over another stream; never waits after `__init__`."""

    def __init__(
        self, outer: Stream, context: ssl.SSLContext, host: str, timeout: float | None
    ) -> None:
        self._outer = outer
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._buffer = memoryview(bytearray(_RECORD))
        self._unsent = memoryview(b"")
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._shake_hands(timeout)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._outer.raw.fileno()

    def close(self) -> None:
        """Close the connection."""
        self._outer.close()

    def recv_into(self, buffer: memoryview) -> int:
        """Read what has come; raise `ssl.SSLWantReadError` if nothing has."""
        while True:
            try:
                content = self._tls.read(len(buffer))
            except ssl.SSLWantReadError:
                self._flush()
                if not self._take_in():
                    raise
            except ssl.SSLEOFError:
                return 0
            else:
                buffer[: len(content)] = content
                return len(content)

    def send(self, data: memoryview, /) -> int:
        """Write a part of `data`; raise `ssl.SSLWantWriteError` if nothing fits."""
        self._flush()
        count = self._tls.write(data[: 16 * 1024])
        self._unsent = memoryview(self._outgoing.read())
        with suppress(ssl.SSLWantWriteError):
            # What does not fit is taken all the same: it goes out before anything else does.
            self._flush()
        return count

    def _flush(self) -> None:
        """Write what is encrypted; raise `ssl.SSLWantWriteError` if that does not fit."""
        self._unsent = self._unsent or memoryview(self._outgoing.read())
        while self._unsent:
            self._unsent = self._unsent[self._outer.channel.send(self._unsent) :]

    def _take_in(self) -> bool:
        """Read what has come on the outer stream; return whether there was anything."""
        count = self._outer.receive_ready(self._buffer)
        if count == 0:
            self._incoming.write_eof()
        elif count is not None:
            self._incoming.write(self._buffer[:count])
        return count is not None

    def _shake_hands(self, timeout: float | None) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._outer.send_all(self._outgoing.read(), timeout)
                count = self._outer.receive(self._buffer, timeout)
                if count:
                    self._incoming.write(self._buffer[:count])
                else:
                    self._incoming.write_eof()
            else:
                self._outer.send_all(self._outgoing.read(), timeout)
                return
