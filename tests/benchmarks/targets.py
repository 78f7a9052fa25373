"""What regimport is to reach, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Measure(StrEnum):
    """What a target is about."""

    RATIO = "wall time / skopeo's"
    OWN_TIME = "wall time / the line's own"
    CPU = "CPU seconds"
    REQUESTS = "requests to a side"
    BLOBS = "blobs read"
    MEMORY = "peak MiB"
    HASHING = "CPU time / hashing's"
    WALL = "wall seconds"
    TIME_GROWTH = "wall time of each more / of those before"
    CPU_GROWTH = "CPU time of each more / of those before"
    MEMORY_GROWTH = "peak MiB / of one image"


@dataclass(frozen=True, slots=True)
class Target:
    """At most `most` of the measure, for a case over a line, with TLS or without."""

    case: str
    line: str
    measure: Measure
    most: float


TARGETS = (
    Target("hello", "loopback", Measure.RATIO, 0.75),
    Target("many", "loopback", Measure.RATIO, 0.33),
    Target("app", "loopback", Measure.RATIO, 0.28),
    Target("big", "loopback", Measure.RATIO, 0.30),
    Target("hello", "long", Measure.RATIO, 0.15),
    Target("many", "long", Measure.RATIO, 0.09),
    Target("app", "long", Measure.OWN_TIME, 1.06),
    Target("big", "long", Measure.OWN_TIME, 1.03),
    *(Target("again", line, Measure.CPU, 0.35) for line in ("loopback", "long")),
    *(Target("again", line, Measure.REQUESTS, 1) for line in ("loopback", "long")),
    *(Target("retag", line, Measure.BLOBS, 0) for line in ("loopback", "long")),
    Target("big", "loopback", Measure.HASHING, 2.0),
)
# Whatever the image.
MEMORY = 64.0
# Seconds of a start.
STARTS = {("--version",): 0.10, ("copy", "--help"): 0.25}
# "Must not rise", with what a measurement wavers by.
GROWTH = 1.15
