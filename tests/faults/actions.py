"""All that can happen to a request, each a value that a table can hold."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from faults.locks import Bearer
from faults.message import UNTIL_CLOSE, WITH_LENGTH, Framing, Reply
from faults.proxy import Action, Exchange

RESET, END, CLOSE, STALL = "reset", "end", "close", "stall"


def error_body(code: str, message: str = "planted", detail: str = "null") -> bytes:
    """An error as the distribution specification writes it."""
    return f'{{"errors":[{{"code":"{code}","message":"{message}","detail":{detail}}}]}}'.encode()


# ---- the request is not performed


@dataclass(frozen=True)
class Status:
    """Another answer in the place of the registry's, once the request was read whole."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    framing: Framing = WITH_LENGTH

    def play(self, exchange: Exchange) -> None:
        exchange.read()
        exchange.say(Reply(self.status, tuple(self.headers.items()), self.body), self.framing)


@dataclass(frozen=True)
class Early:
    """An answer before the body was read, after which the connection ends."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    after: int = 0

    def play(self, exchange: Exchange) -> None:
        exchange.read(self.after)
        headers = {"Connection": "close", **self.headers}
        exchange.say(Reply(self.status, tuple(headers.items()), self.body))
        exchange.break_off(END)


@dataclass(frozen=True)
class Raw:
    """Bytes that need not be HTTP, and the end of the connection."""

    data: bytes

    def play(self, exchange: Exchange) -> None:
        exchange.read()
        exchange.stream.send(self.data)
        exchange.break_off(END)


@dataclass(frozen=True)
class Endless:
    """An answer that never ends: the same bytes again and again, until the client has gone."""

    headers: Mapping[str, str] = field(default_factory=dict)
    piece: bytes = b" " * 65536
    status: int = 200

    def play(self, exchange: Exchange) -> None:
        exchange.read()
        exchange.say_head(Reply(self.status, tuple(self.headers.items())), UNTIL_CLOSE)
        while True:
            exchange.say_body(self.piece)


@dataclass(frozen=True)
class NoAnswer:
    """The request is read, and nothing is said."""

    def play(self, exchange: Exchange) -> None:
        exchange.read()
        exchange.break_off(STALL)


@dataclass(frozen=True)
class StopReading:
    """A part of the body is read, and then nothing more."""

    after: int

    def play(self, exchange: Exchange) -> None:
        exchange.read(self.after)
        exchange.break_off(STALL)


@dataclass(frozen=True)
class Reset:
    """The connection breaks when the request was read, or the first `after` bytes of its body.

    What was read of a body reaches the registry.
    """

    after: int | None = None

    def play(self, exchange: Exchange) -> None:
        exchange.read(self.after)
        if self.after is not None and self.after < exchange.asked.length:
            exchange.pass_part()
        exchange.break_off(RESET)


@dataclass(frozen=True)
class Redirect:
    """The same path at another origin, `http://host:port`, or wherever `to` leads by itself."""

    to: str
    status: int = 307
    whole: bool = False

    def play(self, exchange: Exchange) -> None:
        exchange.read()
        place = self.to if self.whole else f"{self.to}{exchange.asked.path}"
        exchange.say(Reply(self.status, (("Location", place),)))


@dataclass(frozen=True)
class Expire:
    """The tokens given out so far are good no more, beginning with this request."""

    def play(self, exchange: Exchange) -> None:
        lock = exchange.registry.lock
        assert isinstance(lock, Bearer)
        lock.forget()
        exchange.read()
        exchange.say(lock.challenge(exchange.registry.address))


# ---- the request is performed


@dataclass(frozen=True)
class LostAnswer:
    """The registry did it, but the answer is lost: the connection breaks, or a proxy gives up."""

    status: int | None = None
    how: str = RESET

    def play(self, exchange: Exchange) -> None:
        exchange.perform()
        if self.status is None:
            exchange.break_off(self.how)
        else:
            exchange.say(Reply(self.status))


@dataclass(frozen=True)
class Changed:
    """The registry's answer with another status, other headers (None drops one), another body.

    The registry does not see the request's headers that are in `ignoring`.
    """

    status: int | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    body: Callable[[bytes], bytes] | None = None
    framing: Framing = WITH_LENGTH
    ignoring: tuple[str, ...] = ()

    def play(self, exchange: Exchange) -> None:
        reply = exchange.perform(self.ignoring).without(*self.headers)
        more = tuple((name, value) for name, value in self.headers.items() if value is not None)
        body = reply.body if self.body is None else self.body(reply.body)
        if self.body is not None and "Content-Length" not in self.headers:
            reply = reply.without("Content-Length")
        status = self.status or reply.status
        exchange.say(Reply(status, (*reply.headers, *more), body), self.framing)


@dataclass(frozen=True)
class Moved:
    """The place of an upload is written in another way, or is elsewhere.

    `form` has `{path}` for the true place, `{name}` for its last part, `{host}` for this registry.
    """

    form: str

    def play(self, exchange: Exchange) -> None:
        reply = exchange.perform()
        path = reply.header("Location") or ""
        name, host = path.rpartition("/")[2], exchange.registry.address
        exchange.say(reply.adding(Location=self.form.format(path=path, name=name, host=host)))


@dataclass(frozen=True)
class TooLarge:
    """Bodies of more than `limit` bytes are turned away before they are read."""

    limit: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def play(self, exchange: Exchange) -> None:
        if exchange.asked.length > self.limit:
            Early(413, self.headers, self.body).play(exchange)
        else:
            exchange.say(exchange.perform())


@dataclass(frozen=True)
class Cut:
    """The answer's body ends after `after` bytes."""

    after: int
    how: str = RESET
    framing: Framing = WITH_LENGTH

    def play(self, exchange: Exchange) -> None:
        exchange.say(exchange.perform(), self.framing, most=self.after)
        exchange.break_off(self.how)


@dataclass(frozen=True)
class Trickle:
    """The answer's body comes in `pieces` pieces with a pause before each."""

    pieces: int
    pause: float

    def play(self, exchange: Exchange) -> None:
        reply = exchange.perform()
        exchange.say_head(reply)
        size = -(-len(reply.body) // self.pieces)
        for start in range(0, len(reply.body), size):
            time.sleep(self.pause)
            exchange.say_body(reply.body[start : start + size])


@dataclass(frozen=True)
class Late:
    """The answer comes after a while."""

    seconds: float

    def play(self, exchange: Exchange) -> None:
        reply = exchange.perform()
        time.sleep(self.seconds)
        exchange.say(reply)


@dataclass(frozen=True)
class Then:
    """Something else happens first, such as somebody moving a tag."""

    call: Callable[[], object]

    def play(self, exchange: Exchange) -> None:
        self.call()
        exchange.say(exchange.perform())


@dataclass(frozen=True)
class InTurn:
    """One action after another, a request each; the last goes on for ever."""

    actions: tuple[Action, ...]
    _played: list[int] = field(default_factory=lambda: [0])

    def play(self, exchange: Exchange) -> None:
        number = min(self._played[0], len(self.actions) - 1)
        self._played[0] += 1
        self.actions[number].play(exchange)


# ---- changes of bodies


def flipped(at: int) -> Callable[[bytes], bytes]:
    """One bit of the byte at `at` is another."""

    def change(body: bytes) -> bytes:
        return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] if len(body) > at else body

    return change


def longer(by: int) -> Callable[[bytes], bytes]:
    return lambda body: body + b"x" * by


def shorter(by: int) -> Callable[[bytes], bytes]:
    return lambda body: body[:-by]


def zipped(body: bytes) -> bytes:
    return gzip.compress(body, 1)
