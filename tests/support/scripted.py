"""A server that answers as a test scripts it, on a real socket, and records what it was asked."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass(frozen=True)
class Heard:
    """A request that came."""

    method: str
    path: str
    headers: Message
    body: bytes

    @property
    def authorization(self) -> str | None:
        return self.headers.get("Authorization")


@dataclass(frozen=True)
class Say:
    """An answer to give."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Script = Callable[[Heard], Say]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # With a shorter queue, one of many connections waits a second until it is tried again.
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up: what they make of it is what is tested."""


class Scripted:
    """Runs a script on an address of loopback; with TLS if it has a context."""

    def __init__(
        self, script: Script, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.script = script
        self.heard: list[Heard] = []
        self.encrypted = context is not None
        self._connections = 0
        self._connected = threading.Condition()
        self._server = _Server((host, 0), _handler(self))
        if context is not None:
            # The handshake is the handler's: who accepts must not wait for it.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self.address = f"{host}:{self._server.server_port}"

    def connect(self) -> None:
        """Note that a connection was made."""
        with self._connected:
            self._connections += 1
            self._connected.notify_all()

    @property
    def connections(self) -> int:
        """How many connections have been made."""
        with self._connected:
            return self._connections

    def wait_for(self, connections: int, seconds: float) -> bool:
        """Wait until so many connections have been made; False if they do not come in time."""
        with self._connected:
            return self._connected.wait_for(lambda: self._connections >= connections, seconds)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(server: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            server.connect()

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            heard = Heard(self.command, self.path, self.headers, self.rfile.read(length))
            server.heard.append(heard)
            say = server.script(heard)
            self.send_response(say.status)
            for name, value in say.headers.items():
                self.send_header(name, value)
            if not {"Content-Length", "Transfer-Encoding"} & say.headers.keys():
                self.send_header("Content-Length", str(len(say.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(say.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    return Handler
