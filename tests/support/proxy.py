"""A proxy on loopback that records what it is asked, and knows where names lead."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Passed:
    """A request that came to the proxy: `CONNECT host:port`, or a method and a URL."""

    line: str
    authorization: str | None


class RecorderProxy:
    """Forwards to the addresses that `places` gives for `host:port`; refuses all others.

    `wants` is the Proxy-Authorization that it asks for; `refuses` what it answers to every
    request instead of forwarding it. With a `context` it is itself spoken to with TLS.
    """

    def __init__(
        self,
        places: Mapping[str, str],
        wants: str | None = None,
        refuses: int | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.places = dict(places)
        self.wants = wants
        self.refuses = refuses
        self.passed: list[Passed] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.address = f"127.0.0.1:{self._server.server_port}"
        self.url = f"{'http' if context is None else 'https'}://{self.address}"

    @property
    def lines(self) -> list[str]:
        return [one.line for one in self.passed]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(proxy: RecorderProxy) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - one class
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_CONNECT(self) -> None:
            place = self._admitted(self.path)
            if place is None:
                return
            with contextlib.closing(socket.create_connection(place, 20)) as onward:
                self.send_response(200, "Connection established")
                self.end_headers()
                _join(self.connection, onward)
            self.close_connection = True

        def forward(self) -> None:
            parts = urlsplit(self.path)
            place = self._admitted(f"{parts.hostname}:{parts.port or 80}")
            if place is None:
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() != "proxy-authorization"
            }
            onward = http.client.HTTPConnection(*place, timeout=20)
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            onward.request(self.command, target, body, headers)
            answer = onward.getresponse()
            content = answer.read()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"connection", "transfer-encoding"}:
                    self.send_header(name, value)
            if "Content-Length" not in answer.headers:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            onward.close()

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = forward  # noqa: N815

        def _admitted(self, name: str) -> tuple[str, int] | None:
            told = self.headers.get("Proxy-Authorization")
            proxy.passed.append(Passed(f"{self.command} {self.path}", told))
            status = proxy.refuses
            if status is None and proxy.wants is not None and told != proxy.wants:
                status = 407
            if status is None and name not in proxy.places:
                status = 403
            if status is None:
                host, _, port = proxy.places[name].rpartition(":")
                return host, int(port)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class SocksProxy:
    """A SOCKS5 proxy (RFC 1928) that knows where names lead; `user` is who may use it."""

    def __init__(
        self, places: Mapping[str, str], user: tuple[str, str] | None = None, reply: int = 0
    ) -> None:
        self.places = dict(places)
        self.asked: list[str] = []
        self._user = user
        self._reply = reply
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader, contextlib.suppress(OSError):
            _, count = reader.read(2)
            wanted = 0 if self._user is None else 2
            offered = reader.read(count)
            connection.sendall(bytes((5, wanted if wanted in offered else 0xFF)))
            if wanted not in offered or (
                self._user is not None and not self._admit(connection, reader)
            ):
                return
            reader.read(4)
            host = reader.read(reader.read(1)[0]).decode()
            place = f"{host}:{int.from_bytes(reader.read(2), 'big')}"
            self.asked.append(place)
            connection.sendall(bytes((5, self._reply, 0, 1, 0, 0, 0, 0, 0, 0)))
            if not self._reply:
                there, _, port = self.places[place].rpartition(":")
                with socket.create_connection((there, int(port)), 20) as onward:
                    _join(connection, onward)

    def _admit(self, connection: socket.socket, reader: IO[bytes]) -> bool:
        """Ask who it is (RFC 1929)."""
        reader.read(1)
        name = reader.read(reader.read(1)[0]).decode()
        password = reader.read(reader.read(1)[0]).decode()
        good = (name, password) == self._user
        connection.sendall(bytes((1, 0 if good else 1)))
        return good


def _join(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until either end stops."""
    pairs = {one: other, other: one}
    with contextlib.suppress(OSError):
        while True:
            # What TLS has read already, the system does not tell of.
            readable: list[socket.socket] = [
                end for end in pairs if isinstance(end, ssl.SSLSocket) and end.pending()
            ]
            readable = readable or select.select(list(pairs), [], [], 20)[0]
            if not readable:
                return
            for end in readable:
                piece = end.recv(65536)
                if not piece:
                    return
                pairs[end].sendall(piece)
