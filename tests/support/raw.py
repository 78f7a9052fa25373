"""A server that sends whatever bytes a script yields, for as long as somebody takes them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

Sender = Callable[[str, str], Iterable[bytes]]


@contextmanager
def sending(sender: Sender) -> Iterator[str]:
    """Answer each request with the pieces of `sender(method, path)`; yield the address.

    A connection serves one request, and is closed behind its answer.
    """
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    server.settimeout(0.05)
    ended = threading.Event()

    def serve(connection: Any) -> None:
        with connection, suppress(OSError):
            connection.settimeout(20)
            head = b""
            while b"\r\n\r\n" not in head:
                piece = connection.recv(65536)
                if not piece:
                    return
                head += piece
            method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
            for piece in sender(method, path):
                if ended.is_set():
                    return
                connection.sendall(piece)

    def accept() -> None:
        while not ended.is_set():
            with suppress(TimeoutError):
                connection, _ = server.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.getsockname()[1]}"
    finally:
        ended.set()
        thread.join()
        server.close()
