"""Sizes, rates and durations as users write them."""

from __future__ import annotations

import re
from decimal import Decimal

from regimport.errors import InvalidOptions

__all__ = ["parse_duration", "parse_rate", "parse_size"]

_SIZES = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", 1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", 1)},
}
# As curl's --limit-rate counts.
_RATES = {"": 1, "b": 1, **{letter: 1024**power for power, letter in enumerate("kmgtp", 1)}}
_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,15})?"
_DURATION = re.compile(
    rf"(?:({_NUMBER})h)?(?:({_NUMBER})m(?!s))?(?:({_NUMBER})s)?(?:({_NUMBER})ms)?"
)


def parse_size(text: str, option: str) -> int:
    """Return the bytes of a size such as `2GiB`, `500MB` or `1024`.

    Raise `InvalidOptions`, whose message names `option`, for anything else.
    """
    match = re.fullmatch(rf"({_NUMBER})\s*([a-zA-Z]*)", text.strip())
    if match is None or match[2].lower() not in _SIZES:
        raise InvalidOptions(
            f"invalid {option} {text!r}",
            hint="write a number with a unit, 2GiB or 500MB, or bytes; or none",
        )
    # Exact: a float would round a limit given as 4.7GiB or the like.
    return int(Decimal(match[1]) * _SIZES[match[2].lower()])


def parse_rate(text: str) -> float:
    """Return the bytes per second of a rate such as `500K`, `10M`, `1G` (powers of 1024) or `800`.

    Raise `InvalidOptions`, also for a rate below one byte per second.
    """
    match = re.fullmatch(rf"({_NUMBER})([a-zA-Z]?)", text.strip())
    rate = float(match[1]) * _RATES.get(match[2].lower(), 0) if match else 0.0
    if rate < 1:
        raise InvalidOptions(
            f"invalid --limit-rate {text!r}",
            hint="write bytes per second, at least 1, or with a unit: 500K, 10M, 1G",
        )
    return rate


def parse_duration(text: str, option: str, *, zero: bool = False) -> float:
    """Return the seconds of a duration such as `90s`, `30m`, `1h30m` or `90`.

    Raise `InvalidOptions`, whose message names `option`, for anything else; also for 0 unless
    `zero` is true.
    """
    written = text.strip().lower()
    seconds = -1.0
    if re.fullmatch(_NUMBER, written):
        seconds = float(written)
    elif written and (match := _DURATION.fullmatch(written)) is not None:
        units = (3600.0, 60.0, 1.0, 0.001)
        seconds = sum(
            float(part) * unit for part, unit in zip(match.groups(), units, strict=True) if part
        )
    if seconds < 0 or (seconds == 0 and not zero):
        raise InvalidOptions(f"invalid {option} {text!r}", hint="write 90s, 30m, 1h30m, or seconds")
    return seconds
