"""Connections that break, hang, or lose the answer to what was done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from faults.actions import (
    STALL,
    Late,
    LostAnswer,
    NoAnswer,
    Raw,
    Reset,
    Status,
    StopReading,
    error_body,
)
from faults.proxy import ALWAYS, Action, Fault
from faults.table import HASTY, OPTIONS, SIZE, Row, Stage, run_row, table
from regimport.errors import Unreachable
from regimport.options import Timeouts
from support.images import single

AT_SOURCE = ("HEAD manifest", "GET manifest", "GET blob")
AT_TARGET = ("HEAD manifest", "GET token", "HEAD blob", "POST upload", "PUT upload", "PUT manifest")
# More than the kernel takes in for a peer that does not read.
LARGE = single("large", size=16_000_000)


def once(what: str, side: str, kind: str, do: Action, row: Row) -> Row:
    fault = [Fault(kind, do)]
    return replace(
        row,
        title=f"{what}: {kind} at the {side}",
        source=fault if side == "source" else (),
        target=fault if side == "target" else (),
    )


EVERYWHERE = (
    *(("source", kind) for kind in AT_SOURCE),
    *(("target", kind) for kind in AT_TARGET),
)
# Each of these costs the time that a registry may keep still.
SOMEWHERE = (
    ("source", "HEAD manifest"),
    ("source", "GET blob"),
    ("target", "GET token"),
    ("target", "PUT upload"),
    ("target", "PUT manifest"),
)


def at(places: Iterable[tuple[str, str]], what: str, do: Action, row: Row) -> list[Row]:
    """A fault once at each of these kinds of requests; each is made good."""
    return [once(what, side, kind, do, row) for side, kind in places]


BROKEN = [
    *at(EVERYWHERE, "reset in the place of an answer", Reset(), Row(title="")),
    *at(SOMEWHERE, "an answer that is not begun in time", NoAnswer(), Row(title="", options=HASTY)),
    *at(
        EVERYWHERE, "the answer ends in the middle of its head", Raw(b"HTTP/1.1 20"), Row(title="")
    ),
    *(
        Row(
            title=f"reset after {after} bytes of a body were read",
            target=[Fault("PUT upload", Reset(after))],
            most={"target PUT upload": 3, "target POST upload": 3},
            retries=True,
        )
        for after in (0, 1, 300_000, SIZE - 1)
    ),
    Row(
        title="reset in the middle of the body of every upload",
        target=[Fault("PUT upload", Reset(300_000), ALWAYS)],
        error=Unreachable,
        most={"target PUT upload": 5},
    ),
    Row(
        title="the target stops reading in the middle of a body, once",
        target=[Fault("PUT upload", StopReading(300_000))],
        image=LARGE,
        options=HASTY,
        most={"target PUT upload": 3},
        retries=True,
    ),
    Row(
        title="the target stops reading for ever",
        target=[Fault("PUT upload", StopReading(0), ALWAYS)],
        image=LARGE,
        options=replace(HASTY, retry=replace(HASTY.retry, attempts=2)),
        error=Unreachable,
        most={"target PUT upload": 2},
    ),
    Row(
        title="the answer to a body takes longer than the idle timeout",
        target=[Fault("PUT upload", Late(0.9))],
        options=replace(OPTIONS, timeouts=Timeouts(idle=0.5, answer=5.0)),
        most={"target PUT upload": 2},
        retries=False,
    ),
]

# Two at most: the body of a blob that is stored goes nowhere again.
STORED = {"target PUT upload": 2, "target POST upload": 2, "source GET blob": 2}
LOST = [
    Row(
        title="a blob was stored, then reset",
        target=[Fault("PUT upload", LostAnswer())],
        most=STORED,
    ),
    Row(
        title="a blob was stored, then 504",
        target=[Fault("PUT upload", LostAnswer(504))],
        most=STORED,
    ),
    Row(
        title="a blob was stored, then 500",
        target=[Fault("PUT upload", LostAnswer(500))],
        most=STORED,
    ),
    Row(
        title="a blob was stored, then no answer",
        target=[Fault("PUT upload", LostAnswer(how=STALL))],
        options=HASTY,
        most=STORED,
    ),
    Row(
        title="a blob was stored, but 400: somebody else uploads the same",
        target=[Fault("PUT upload", LostAnswer(400))],
        most=STORED,
    ),
    Row(
        title="a session was opened, then reset",
        target=[Fault("POST upload", LostAnswer())],
        sessions=1,
        most={"target PUT upload": 2},
    ),
    Row(
        title="the manifest was stored, then reset",
        target=[Fault("PUT manifest", LostAnswer())],
        most={"target PUT manifest": 2},
    ),
    Row(
        title="the manifest was stored, then 504",
        target=[Fault("PUT manifest", LostAnswer(504))],
        most={"target PUT manifest": 2},
    ),
    Row(
        title="the manifest was stored under a tag that is fixed from then on, then reset",
        target=[
            Fault("PUT manifest", LostAnswer()),
            Fault("PUT manifest", Status(409, body=error_body("TAG_INVALID", "immutable")), (2,)),
        ],
        most={"target PUT manifest": 2},
    ),
    Row(
        title="the manifest was stored each time, then 504 for ever",
        target=[Fault("PUT manifest", LostAnswer(504), ALWAYS)],
        most={"target PUT manifest": 5},
    ),
]


@table(BROKEN)
def test_a_connection_that_breaks(stage: Stage, row: Row, repository: str) -> None:
    result = run_row(stage, row, repository)
    bodies = [asked.path for asked in result.target.asked("PUT upload") if asked.length]
    assert len(set(bodies)) == len(bodies), "a body was sent twice into one session"


@table(LOST)
def test_what_was_done_but_not_answered_is_not_done_again(
    stage: Stage, row: Row, repository: str
) -> None:
    run_row(stage, row, repository)
