"""Servers of the tests: one that speaks bytes, one that speaks HTTP; both on loopback."""

from __future__ import annotations

import fcntl
import http.server
import json
import os
import select
import socket
import ssl
import struct
import termios
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


class Line:
    """One connection, as its server sees it."""

    def __init__(self, number: int, connection: socket.socket) -> None:
        self.number = number
        self.socket = connection
        self._reader = connection.makefile("rb")

    def head(self) -> list[str]:
        """The lines of a request's head; none at the end of the connection."""
        lines: list[str] = []
        while line := self._reader.readline().decode("latin-1").rstrip("\r\n"):
            lines.append(line)
        return lines

    def read(self, size: int) -> bytes:
        return self._reader.read(size)

    def send(self, text: str | bytes) -> None:
        self.socket.sendall(text.encode("latin-1") if isinstance(text, str) else text)

    def wait_until_delivered(self) -> None:
        """Wait until the client's system has all that was sent, whether it was read or not."""
        while struct.unpack("i", fcntl.ioctl(self.socket, termios.TIOCOUTQ, b"\0" * 4))[0]:
            os.sched_yield()

    def linger(self) -> None:
        """Read nothing and say nothing until the client or the test has gone."""
        poll = select.poll()
        poll.register(self.socket, select.POLLRDHUP)
        poll.poll(20_000)

    def close(self) -> None:
        self._reader.close()
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Peer:
    """A server that treats each connection as `treat` says, and closes it after that."""

    def __init__(self, treat: Callable[[Line], None], context: ssl.SSLContext | None) -> None:
        self._treat = treat
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lines: list[Line] = []
        self._threads = [threading.Thread(target=self._accept)]
        self.connections = 0
        self.closed = threading.Semaphore(0)
        self._threads[0].start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://{self.address}/"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                number, self.connections = self.connections, self.connections + 1
                thread = threading.Thread(target=self._serve, args=(number, connection))
                self._threads.append(thread)
                thread.start()

    def _serve(self, number: int, connection: socket.socket) -> None:
        if self._context is not None:
            with connection.dup() as raw:
                try:
                    connection = self._context.wrap_socket(connection, server_side=True)
                except OSError:
                    _hang_up(raw)
                    return
        line = Line(number, connection)
        self._lines.append(line)
        with suppress(OSError, ValueError):
            self._treat(line)
        line.close()
        self.closed.release()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(10)
        for line in self._lines:
            with suppress(OSError):
                line.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)


def _hang_up(connection: socket.socket) -> None:
    """Read what is left: to close over it would take back what was said, an alert of TLS."""
    connection.settimeout(5)
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass


@contextmanager
def peer(treat: Callable[[Line], None], context: ssl.SSLContext | None = None) -> Iterator[Peer]:
    """A server of bytes, for what no HTTP server would do."""
    server = Peer(treat, context)
    try:
        yield server
    finally:
        server.close()


@dataclass(frozen=True)
class Asked:
    """A request as it arrived; header names are in lower case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.method} {self.url}"


@dataclass(frozen=True)
class Reply:
    """What is to be answered."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def json(cls, document: object, status: int = 200, **headers: str) -> Reply:
        return cls(status, headers, json.dumps(document).encode())


class WebServer:
    """An HTTP server that answers as a function says, and keeps what it was asked."""

    def __init__(self, answer: Callable[[Asked], Reply]) -> None:
        self.asked: list[Asked] = []
        asked = self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Asked(self.command, self.path, headers, body)
                asked.append(request)
                reply = answer(request)
                self.send_response_only(reply.status)
                headers = {"Content-Length": str(len(reply.body)), **reply.headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(reply.body)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815
            do_PATCH = handle_any  # noqa: N815

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """What a client breaks off is its own business."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def lines(self) -> list[str]:
        """Method and URL of each request, in order."""
        return [str(request) for request in self.asked]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@contextmanager
def web(answer: Callable[[Asked], Reply]) -> Iterator[WebServer]:
    """A server of HTTP that answers as `answer` says."""
    server = WebServer(answer)
    try:
        yield server
    finally:
        server.close()
