"""A registry that misbehaves as a table says: a proxy of raw sockets before an honest one.

with FaultyRegistry(honest.address, [Fault("GET blob", Cut(after=1000))]) as registry:
    copy(f"{registry.address}/team/app:1", …)
    assert registry.count("GET blob") == 2
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Protocol, Self

from faults.locks import Lock, Open
from faults.message import CHUNKED, UNTIL_CLOSE, WITH_LENGTH, Asked, Framing, Reply
from faults.stream import Stream

# What a registry of Go says to plain http on its TLS port; clients know it by that.
_SPEAK_TLS = Reply(400, body=b"Client sent an HTTP request to an HTTPS server.\n")
_NO_HTTP = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request"
_TLS_HANDSHAKE = b"\x16"
ALWAYS = None
ONCE = (1,)


class Action(Protocol):
    """What happens to a request."""

    def play(self, exchange: Exchange) -> None:
        """Treat one request, from its head on."""


@dataclass(frozen=True)
class Fault:
    """A fault as data: which requests (`GET blob`, `* *`), which of them, and what happens.

    `at` counts the requests that match, the first being 1; `ALWAYS` is each of them. `path` is a
    text that the request's path has in it.
    """

    on: str
    do: Action
    at: tuple[int, ...] | None = ONCE
    path: str = ""

    def matches(self, asked: Asked) -> bool:
        pairs = zip(self.on.split(), asked.kind.split(), strict=True)
        return self.path in asked.path and all(want in {"*", has} for want, has in pairs)


class FaultyRegistry:
    """Passes requests on to the registry at `upstream`, but for those that have a fault.

    `log` has every request but those that the lock turned away. `seen` is called with each.
    """

    def __init__(
        self,
        upstream: str,
        faults: Iterable[Fault] = (),
        *,
        lock: Lock | None = None,
        tls: ssl.SSLContext | None = None,
        seen: Callable[[Asked], None] = lambda _: None,
    ) -> None:
        self.upstream = upstream
        self.faults = list(faults)
        self.lock = lock or Open()
        self.log: list[Asked] = []
        self.turned_away: list[Asked] = []
        self.seen = seen
        self._tls = tls
        self._counts: dict[int, int] = {}
        self._mutex = threading.Lock()
        self._streams: list[Stream] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for stream in self._streams:
            with suppress(OSError):
                stream.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(20)

    def count(self, kind: str) -> int:
        """How many requests of a kind came; `kind` as in a fault."""
        return len(self.asked(kind))

    def asked(self, kind: str) -> list[Asked]:
        """The requests of a kind."""
        return [asked for asked in list(self.log) if Fault(kind, _Pass()).matches(asked)]

    def fault(self, asked: Asked) -> Action:
        """Find what is to happen to a request, and count it."""
        action: Action | None = None
        with self._mutex:
            self.log.append(asked)
            for number, fault in enumerate(self.faults):
                if fault.matches(asked):
                    count = self._counts[number] = self._counts.get(number, 0) + 1
                    due = fault.at is None or count in fault.at
                    action = action or (fault.do if due else None)
        return action or _Pass()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        stream = Stream(connection)
        try:
            self._streams.append(stream)
            secret = connection.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE
            if secret and self._tls is None:
                stream.send(_NO_HTTP)
                return
            if secret and self._tls is not None:
                stream.socket = self._tls.wrap_socket(connection, server_side=True)
            while (asked := _head(stream)) is not None:
                exchange = Exchange(self, stream, asked)
                if self._tls is not None and not secret:
                    exchange.say(_SPEAK_TLS)
                else:
                    self._treat(exchange)
                if exchange.over:
                    break
        except (OSError, http.client.HTTPException, ValueError):
            pass  # the client has gone, or the test has ended
        finally:
            stream.close()

    def _treat(self, exchange: Exchange) -> None:
        refusal = self.lock.refusal(exchange.asked, self.address)
        if refusal is not None and exchange.asked.kind != "GET token":
            self.turned_away.append(exchange.asked)
            exchange.read()
            exchange.say(refusal)
            return
        action = self.fault(exchange.asked)
        self.seen(exchange.asked)
        try:
            action.play(exchange)
        finally:
            exchange.asked.ended = time.monotonic()


class Exchange:
    """One request while it is treated: the verbs that actions are made of."""

    def __init__(self, registry: FaultyRegistry, stream: Stream, asked: Asked) -> None:
        self.registry = registry
        self.stream = stream
        self.asked = asked
        self.body = b""
        self.over = False

    def read(self, most: int | None = None) -> bytes:
        """Read the request's body, or `most` bytes of it."""
        wanted = self.asked.length if most is None else min(most, self.asked.length)
        pieces = []
        while self.asked.received < wanted:
            piece = self.stream.read(wanted - self.asked.received)
            if not piece:
                raise ConnectionResetError("the client went away")
            pieces.append(piece)
            self.asked.received += len(piece)
        self.body += b"".join(pieces)
        return self.body

    def perform(self, ignoring: tuple[str, ...] = ()) -> Reply:
        """Let the honest registry do what is asked, and give its answer."""
        self.read()
        if self.asked.kind == "GET token":
            self.asked.performed = True
            return self.registry.lock.token(self.asked)
        unsaid = {"host", *ignoring}
        headers = {name: text for name, text in self.asked.headers.items() if name not in unsaid}
        with closing(http.client.HTTPConnection(self.registry.upstream, timeout=60)) as upstream:
            upstream.request(self.asked.method, self.asked.path, self.body, headers)
            answer = upstream.getresponse()
            reply = Reply(answer.status, tuple(answer.getheaders()), answer.read())
        self.asked.performed = True
        return self.registry.lock.mark(reply.without("Connection", "Date"))

    def pass_part(self) -> None:
        """Send what was read of the request to the honest registry, and break off there."""
        lines = [f"{self.asked.method} {self.asked.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.asked.headers.items()]
        host, _, port = self.registry.upstream.partition(":")
        with socket.create_connection((host, int(port)), timeout=60) as upstream:
            upstream.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + self.body)
            upstream.shutdown(socket.SHUT_WR)
            with suppress(OSError):
                while upstream.recv(4096):
                    pass

    def say(self, reply: Reply, framing: Framing = WITH_LENGTH, most: int | None = None) -> None:
        """Send an answer, or its head and the first `most` bytes of its body."""
        self.say_head(reply, framing)
        if self.asked.method != "HEAD":
            self.say_body(reply.body if most is None else reply.body[:most], framing)
            if most is None:
                self.stream.send(framing.end)
        self.over = self.over or framing is UNTIL_CLOSE

    def say_head(self, reply: Reply, framing: Framing = WITH_LENGTH) -> None:
        self.asked.status = reply.status
        if framing is not WITH_LENGTH:
            name, _, value = framing.header.partition(": ")
            reply = reply.without("Content-Length")
            reply = Reply(reply.status, (*reply.headers, (name, value)), reply.body)
        elif reply.header("Content-Length") is None and reply.status != 204:
            reply = reply.adding(Content_Length=str(len(reply.body)))
        self.stream.send(reply.head())

    def say_body(self, body: bytes, framing: Framing = WITH_LENGTH) -> None:
        self.asked.sent += len(body)
        self.stream.send(framing.wrap(body))

    def break_off(self, how: str) -> None:
        """End the connection: `reset`, `end`, `stall` (say nothing more), `close` at once."""
        self.over = True
        if how == "stall":
            self.stream.linger()
        getattr(self.stream, {"stall": "close"}.get(how, how))()


class _Pass:
    """No fault: what the honest registry answers."""

    def play(self, exchange: Exchange) -> None:
        exchange.say(exchange.perform())


def _head(stream: Stream) -> Asked | None:
    """Read the head of the next request; None at the end of the connection."""
    words = stream.line().decode("latin-1").split()
    if len(words) != 3:
        return None
    headers: dict[str, str] = {}
    while line := stream.line().decode("latin-1"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Asked(words[0], words[1], headers)


__all__ = [
    "ALWAYS",
    "CHUNKED",
    "ONCE",
    "UNTIL_CLOSE",
    "Action",
    "Exchange",
    "Fault",
    "FaultyRegistry",
]
