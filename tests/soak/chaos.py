"""Faults by lot: any request may meet any of them, the same ones for the same seed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from faults.actions import (
    CLOSE,
    END,
    RESET,
    STALL,
    Changed,
    Cut,
    Early,
    Expire,
    Late,
    LostAnswer,
    NoAnswer,
    Raw,
    Reset,
    Status,
    StopReading,
    flipped,
    shorter,
)
from faults.locks import Bearer
from faults.message import CHUNKED, UNTIL_CLOSE, WITH_LENGTH
from faults.proxy import Action, Exchange

PASSING = (408, 425, 429, 500, 502, 503, 504, 520)


class Harm(StrEnum):
    """What a fault may rightly end a copy with, if it comes often enough."""

    UNREACHABLE = "unreachable"
    LIMITED = "rate limited"
    DENIED = "denied"
    MISMATCH = "mismatch"
    NONE = "none"


# The exit codes of the program.
CODES = {
    Harm.UNREACHABLE: 6,
    Harm.LIMITED: 8,
    Harm.DENIED: 4,
    Harm.MISMATCH: 7,
}
Draw = Callable[[random.Random, int], tuple[Action, Harm]]


def _status(lot: random.Random, _: int) -> tuple[Action, Harm]:
    status = lot.choice(PASSING)
    headers = {"Retry-After": "0"} if lot.random() < 0.3 else {}
    return Status(status, headers, b"not now"), (
        Harm.LIMITED if status == 429 else Harm.UNREACHABLE
    )


def _cut(lot: random.Random, size: int) -> tuple[Action, Harm]:
    how = lot.choice((RESET, END, CLOSE, RESET, END, CLOSE, STALL))
    framing = lot.choice((WITH_LENGTH, CHUNKED, UNTIL_CLOSE))
    return Cut(lot.randrange(max(1, size)), how, framing), Harm.UNREACHABLE


def _reset(lot: random.Random, size: int) -> tuple[Action, Harm]:
    return Reset(lot.choice((None, 0, lot.randrange(max(1, size))))), Harm.UNREACHABLE


def _lost(lot: random.Random, _: int) -> tuple[Action, Harm]:
    return LostAnswer(lot.choice((None, 500, 504))), Harm.UNREACHABLE


def _hang(lot: random.Random, size: int) -> tuple[Action, Harm]:
    return lot.choice((NoAnswer(), StopReading(lot.randrange(max(1, size))))), Harm.UNREACHABLE


def _garbage(lot: random.Random, _: int) -> tuple[Action, Harm]:
    return Raw(
        lot.choice((b"", b"HTTP/1.1 2", b"\x16\x03\x01", b"SSH-2.0-x\r\n"))
    ), Harm.UNREACHABLE


def _early(lot: random.Random, size: int) -> tuple[Action, Harm]:
    return Early(503, after=lot.randrange(max(1, size))), Harm.UNREACHABLE


def _corrupt(lot: random.Random, size: int) -> tuple[Action, Harm]:
    change = lot.choice((flipped(lot.randrange(max(1, size))), shorter(1)))
    return Changed(body=change), Harm.MISMATCH


def _odd(lot: random.Random, _: int) -> tuple[Action, Harm]:
    return lot.choice(
        (Changed(framing=CHUNKED), Changed(framing=UNTIL_CLOSE), Late(0.02))
    ), Harm.NONE


def _expire(_: random.Random, __: int) -> tuple[Action, Harm]:
    return Expire(), Harm.DENIED


DRAWS: tuple[tuple[Draw, int], ...] = (
    (_status, 30),
    (_cut, 20),
    (_reset, 20),
    (_lost, 15),
    (_early, 8),
    (_garbage, 8),
    (_odd, 10),
    (_expire, 5),
    (_corrupt, 4),
    (_hang, 2),
)


@dataclass
class Chaos:
    """An action that draws lots: with `chance` a request meets a fault. `done` is what was drawn.

    Bodies that are changed are those of blobs: what a registry says otherwise is believed.
    """

    seed: str
    chance: float
    done: list[str] = field(default_factory=list)
    harms: set[Harm] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._lot = random.Random(self.seed)
        self._mutex = threading.Lock()

    def play(self, exchange: Exchange) -> None:
        with self._mutex:
            action, harm = self._drawn(exchange)
            if harm is not Harm.NONE:
                self.done.append(f"{exchange.asked.kind}: {action}")
                self.harms.add(harm)
        action.play(exchange)

    def _drawn(self, exchange: Exchange) -> tuple[Action, Harm]:
        lot, kind = self._lot, exchange.asked.kind
        if lot.random() >= self.chance:
            return Changed(), Harm.NONE
        draw = lot.choices([draw for draw, _ in DRAWS], [weight for _, weight in DRAWS])[0]
        if draw is _corrupt and kind != "GET blob":
            draw = _status
        if draw is _expire and not isinstance(exchange.registry.lock, Bearer):
            draw = _reset
        return draw(lot, exchange.asked.length or 20_000)


def codes_of(harms: Iterable[Harm]) -> set[int]:
    """The exit codes that a copy may end with that met these."""
    return {CODES[harm] for harm in harms if harm in CODES}
