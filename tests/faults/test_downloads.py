"""What can go wrong while a blob is read from the source."""

from __future__ import annotations

from dataclasses import replace

from faults.actions import (
    CLOSE,
    END,
    RESET,
    STALL,
    Changed,
    Cut,
    Endless,
    InTurn,
    Raw,
    Status,
    Trickle,
    flipped,
    longer,
    shorter,
    zipped,
)
from faults.message import CHUNKED, UNTIL_CLOSE
from faults.proxy import ALWAYS, Action, Fault
from faults.table import HASTY, LAYER, OPTIONS, SIZE, Row, Stage, run_row, table
from regimport.errors import BrokenTransfer, ContentMismatch, Unreachable
from regimport.options import Timeouts

MIDDLE = 400_000
# All blobs once, and a little for what was under way when a connection broke.
ALL_ONCE = {"source bytes": SIZE + 80_000, "source GET blob": 3}


def layer(do: Action, *at: int) -> Fault:
    """A fault in reading the layer; the first time if no other is given."""
    return Fault("GET blob", do, at or (1,), LAYER)


def always(do: Action) -> Fault:
    return Fault("GET blob", do, ALWAYS, LAYER)


def after_cut(do: Action) -> list[Fault]:
    """The first reading breaks in the middle; `do` answers the second."""
    return [always(InTurn((Cut(MIDDLE), do, Changed())))]


BROKEN = [
    Row(
        title="reset in the middle",
        source=[layer(Cut(MIDDLE, RESET))],
        most=ALL_ONCE,
    ),
    Row(
        title="ended before its length",
        source=[layer(Cut(MIDDLE, END))],
        most=ALL_ONCE,
    ),
    Row(
        title="chunked, cut before the last chunk",
        source=[layer(Cut(MIDDLE, CLOSE, CHUNKED))],
        most=ALL_ONCE,
    ),
    Row(
        title="without any length, and cut",
        source=[layer(Cut(MIDDLE, END, UNTIL_CLOSE))],
        most=ALL_ONCE,
    ),
    Row(
        title="eight cuts, each after some more bytes",
        source=[layer(Cut(100_000), *range(1, 9))],
        most={"source bytes": SIZE + 200_000, "source GET blob": 11},
    ),
    Row(
        title="cut for ever without a single byte",
        source=[always(Cut(0))],
        error=BrokenTransfer,
        most={"source GET blob": 6},
        says="broke",
    ),
    Row(
        title="reset before any answer",
        source=[layer(Raw(b""), 1, 2)],
        most={"source GET blob": 4},
        retries=True,
    ),
    Row(
        title="never an answer",
        source=[always(Raw(b""))],
        error=Unreachable,
        # Five attempts, and one on each of two connections that may have died while they were idle:
        # what is left behind is asked about beside the copy.
        most={"source GET blob": 7},
    ),
    Row(
        title="a stall in the middle is ended by the idle timeout",
        source=[layer(Cut(MIDDLE, STALL))],
        options=HASTY,
        most=ALL_ONCE,
    ),
    Row(
        title="a trickle that takes longer than the idle timeout is progress",
        source=[layer(Trickle(8, 0.15))],
        options=replace(OPTIONS, timeouts=Timeouts(idle=0.6)),
        most={"source GET blob": 2},
        retries=False,
    ),
]

WRONG = [
    Row(
        title="one bit flipped, once",
        source=[layer(Changed(body=flipped(MIDDLE)))],
        most={"source GET blob": 3},
    ),
    Row(
        title="the last bit flipped, always",
        source=[always(Changed(body=flipped(SIZE - 1)))],
        error=ContentMismatch,
        most={"source GET blob": 3},
        says="sha256",
    ),
    Row(
        title="the first bit flipped, always",
        source=[always(Changed(body=flipped(0)))],
        error=ContentMismatch,
        most={"source GET blob": 3},
    ),
    Row(
        title="shorter than its descriptor says, with a length that agrees, always",
        source=[always(Changed(body=shorter(1)))],
        error=ContentMismatch,
        most={"source GET blob": 3},
    ),
    Row(
        title="shorter than its descriptor says, with a length that agrees, once",
        source=[layer(Changed(body=shorter(1)))],
        most={"source GET blob": 3},
    ),
    Row(
        title="longer than its descriptor says, with a length",
        source=[always(Changed(body=longer(7)))],
        error=ContentMismatch,
        most={"source GET blob": 3, "source bytes": 3 * SIZE},
    ),
    Row(
        title="longer than its descriptor says, without a length",
        source=[always(Changed(body=longer(7), framing=UNTIL_CLOSE))],
        error=ContentMismatch,
        says="longer",
        most={"source GET blob": 3},
    ),
    Row(
        title="without an end",
        source=[always(Endless())],
        error=ContentMismatch,
        most={"source GET blob": 3, "source bytes": 40 * SIZE},
    ),
    Row(
        title="whole, without any length",
        source=[layer(Changed(framing=UNTIL_CLOSE))],
        most={"source GET blob": 2},
        retries=False,
    ),
    Row(
        title="whole, in chunks",
        source=[layer(Changed(framing=CHUNKED))],
        most={"source GET blob": 2},
        retries=False,
    ),
    Row(
        title="compressed by a proxy, with Content-Encoding, though nobody asked for that",
        source=[always(Changed(headers={"Content-Encoding": "gzip"}, body=zipped))],
        most={"source GET blob": 2},
    ),
]

RESUMED = [
    Row(
        title="Range is ignored: 200 with the whole",
        source=after_cut(Changed(ignoring=("range",))),
        most={"source GET blob": 3, "source bytes": SIZE + MIDDLE + 80_000},
    ),
    Row(
        title="Range is refused: 416",
        source=after_cut(Status(416, body=b"{}")),
        most={"source GET blob": 4},
    ),
    Row(
        title="Range is refused: 416 whose length lies, and the connection stays open",
        source=after_cut(Raw(b"HTTP/1.1 416 X\r\nContent-Length: 900000\r\n\r\nno such range")),
        most={"source GET blob": 4},
        options=HASTY,
    ),
    Row(
        title="206 that starts elsewhere",
        source=after_cut(
            Changed(206, {"Content-Range": f"bytes 0-{SIZE - 1}/{SIZE}"}, lambda _: b"x" * SIZE)
        ),
        most={"source GET blob": 4},
    ),
    Row(
        title="206 of another whole",
        source=after_cut(Changed(206, {"Content-Range": f"bytes {MIDDLE}-{SIZE - 1}/{SIZE + 5}"})),
        most={"source GET blob": 4},
    ),
    Row(
        title="206 without Content-Range",
        source=after_cut(Changed(206, {"Content-Range": None})),
        most={"source GET blob": 4},
    ),
    Row(
        title="206 with other bytes",
        source=after_cut(Changed(body=flipped(10))),
        most={"source GET blob": 4},
    ),
    Row(
        title="206 in another unit",
        source=after_cut(Changed(206, {"Content-Range": f"lines {MIDDLE}-{SIZE - 1}/{SIZE}"})),
        most={"source GET blob": 4},
    ),
    Row(
        title="206 that is compressed",
        source=after_cut(Changed(headers={"Content-Encoding": "gzip"}, body=zipped)),
        most={"source GET blob": 4},
    ),
]


@table([*BROKEN, *WRONG])
def test_a_blob_that_is_read_badly(stage: Stage, row: Row, repository: str) -> None:
    result = run_row(stage, row, repository)
    for asked in result.source.asked("GET blob"):
        assert asked.headers.get("accept-encoding") == "identity"
        assert asked.headers.get("range") != f"bytes={SIZE}-", "nothing is left to be asked for"


@table(RESUMED)
def test_an_answer_to_range_that_is_no_continuation_is_never_appended(
    stage: Stage, row: Row, repository: str
) -> None:
    result = run_row(stage, row, repository)
    first, second, *_ = result.source.asked("GET blob")
    assert "range" not in first.headers
    assert second.headers["range"] == f"bytes={MIDDLE}-"
