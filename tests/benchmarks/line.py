"""A long line, as arithmetic: when what is sent now comes out at the other end.

The model: one line between the tool and all registries, as a machine has one uplink. It carries
`rate` bits a second in each direction at once, shared by all connections in the order in which
they have something to send; each direction takes half the `delay` of a round trip. A new
connection costs one round trip before its first byte leaves. Nothing is lost, and windows are
open from the start: TCP's slow start is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Line:
    """Seconds of a round trip; bits a second in each direction, or None for no bound."""

    delay: float
    rate: float | None

    @property
    def slows(self) -> bool:
        """Whether anything passes it later than at once."""
        return self.delay > 0 or self.rate is not None

    def own_time(self, size: int) -> float:
        """Seconds that the line needs for bytes that are copied, in whatever order they go.

        They come down and go up again, and both directions work at once: it is the time of one.
        """
        return size * 8 / self.rate if self.rate else 0.0


@dataclass(slots=True)
class Direction:
    """One direction of a line: takes pieces one after the other, each at the line's rate."""

    line: Line
    #: When all that was taken so far has left.
    busy_until: float = field(default=0.0)

    def leaves(self, size: int, now: float) -> float:
        """Take a piece at the time `now`: the time at which its last bit has left."""
        start = max(now, self.busy_until)
        self.busy_until = start + self.line.own_time(size)
        return self.busy_until


@dataclass(frozen=True, slots=True)
class LineKind:
    """A line to measure over, with TLS or without."""

    name: str
    line: Line
    tls: bool


NO_LINE = Line(delay=0, rate=None)
_LONG = Line(delay=0.040, rate=400e6)
LINES = {
    kind.name: kind
    for kind in (
        LineKind("loopback", NO_LINE, tls=False),
        LineKind("loopback-tls", NO_LINE, tls=True),
        LineKind("long", _LONG, tls=False),
        LineKind("long-tls", _LONG, tls=True),
    )
}
