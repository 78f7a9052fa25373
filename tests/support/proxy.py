"""A proxy on loopback that records what it is asked, and knows where names lead."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Passed:
    """A request that came to the proxy: `CONNECT host:port`, or a method and a URL."""

    line: str
    authorization: str | None


class RecorderProxy:
    """Forwards to the addresses that `places` gives for `host:port`; refuses all others.

    `wants` is the Proxy-Authorization that it asks for; `refuses` what it answers to every
    request instead of forwarding it.
    """

    def __init__(
        self, places: Mapping[str, str], wants: str | None = None, refuses: int | None = None
    ) -> None:
        self.places = dict(places)
        self.wants = wants
        self.refuses = refuses
        self.passed: list[Passed] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.address = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.address}"

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


def _join(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until either end stops."""
    pairs = {one: other, other: one}
    with contextlib.suppress(OSError):
        while True:
            readable, _, _ = select.select(list(pairs), [], [], 20)
            if not readable:
                return
            for end in readable:
                piece = end.recv(65536)
                if not piece:
                    return
                pairs[end].sendall(piece)
