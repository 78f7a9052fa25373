"""What goes over the wire, and comes back, as values: the language of all transports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

__all__ = [
    "Body",
    "Carrier",
    "Clocks",
    "ConnectError",
    "ConnectTimeout",
    "Headers",
    "ProtocolError",
    "ReadError",
    "ReadTimeout",
    "TransportError",
    "TransportTimeout",
    "WireRequest",
    "WireResponse",
    "WriteError",
    "WriteTimeout",
    "words_of",
]


class Headers(Mapping[str, str]):
    """Header fields by name, in any case; a field that came more than once is joined by commas."""

    __slots__ = ("_values",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in fields:
            self._values.setdefault(name.lower(), []).append(value)

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._values[name.lower()])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def get_list(self, name: str) -> list[str]:
        """Give every value of a field, as they came (RFC 9110, section 5.3)."""
        return list(self._values.get(name.lower(), ()))


@dataclass(frozen=True, slots=True)
class Clocks:
    """How long to wait, in seconds: for a connection, for bytes to come, for bytes to go."""

    connect: float | None = None
    read: float | None = None
    write: float | None = None


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request as it goes out: `url` absolute and ASCII, `headers` all that is sent.

    A `body` that is no bytes is a stream, which can be sent once; its length stands in `headers`.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | Iterable[bytes] = b""
    clocks: Clocks = Clocks()


class Body(Protocol):
    """The body of an answer, while it comes."""

    def pieces(self) -> Iterator[bytes]:
        """Give the bytes as they come; a piece is good until the next is asked for."""
        ...

    def close(self) -> None:
        """Let go of the connection; it serves again if the body was read to its end."""
        ...


@dataclass(frozen=True, slots=True)
class WireResponse:
    """An answer whose head has come, and whose body is to be read, or closed."""

    request: WireRequest
    status: int
    headers: Headers
    body: Body

    def close(self) -> None:
        """Let go of the connection."""
        self.body.close()


class Carrier(Protocol):
    """What carries requests to registries; shared by threads."""

    def send(self, request: WireRequest) -> WireResponse:
        """Send a request and give the answer; raises `TransportError`."""
        ...

    def warm(self, url: str, clocks: Clocks) -> None:
        """Open a connection ahead of need, where a request for `url` will find it."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...

    def abort(self) -> None:
        """Close the connections, and break those off on which a large body is on its way."""
        ...


class TransportError(Exception):
    """No whole answer came; `__cause__` is what happened below."""


class TransportTimeout(TransportError):
    """A peer took longer than a clock allows."""


class ConnectError(TransportError):
    """No connection came about."""


class ConnectTimeout(TransportTimeout, ConnectError):
    """No connection came about in time."""


class WriteError(TransportError):
    """The connection broke while the request was sent."""


class WriteTimeout(TransportTimeout, WriteError):
    """The peer took nothing more in time."""


class ReadError(TransportError):
    """The connection broke while the answer was read."""


class ReadTimeout(TransportTimeout, ReadError):
    """The peer said nothing more in time."""


class ProtocolError(TransportError):
    """What came is no whole HTTP answer (RFC 9112)."""


def words_of(error: BaseException) -> str:
    """Say what went wrong, without the number that the system has for it."""
    words = error.strerror if isinstance(error, OSError) else None
    return words or str(error)
