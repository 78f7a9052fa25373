"""What regimport is to reach, as data: wall time unless said, against skopeo in the same run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Measure(StrEnum):
    """What a target is about."""

    RATIO = "x skopeo"
    OWN_TIME = "x line"
    CPU = "s CPU"
    HEADS = "HEAD a side"
    MOVED = "bytes moved"


@dataclass(frozen=True, slots=True)
class Target:
    """At most `most` of the measure, for a case over a line (its name without `-tls`)."""

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
    *(Target("again", line, Measure.HEADS, 1) for line in ("loopback", "long")),
    *(Target("retag", line, Measure.MOVED, 0) for line in ("loopback", "long")),
)
# Peak MiB, whatever the image.
MEMORY = 64
# CPU of `big`, in times of what hashing its bytes costs.
HASHING = 2.0
# Seconds of a start.
STARTS = {("--version",): 0.10, ("copy", "--help"): 0.25}
