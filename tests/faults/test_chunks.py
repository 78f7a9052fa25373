"""Uploads that go up in chunks, where a proxy takes no large bodies."""

from __future__ import annotations

from faults.actions import Changed, Status, TooLarge
from faults.proxy import ALWAYS, Fault
from faults.table import Row, Stage, run_row, table
from support.images import single

MIB = 1024**2
LIMIT = 7 * MIB
IMAGE = single("chunks", size=16 * MIB + 5)
PAGE = b"<html><head><title>413 Request Entity Too Large</title></head></html>"

PROXY = (
    Fault("PUT upload", TooLarge(LIMIT, body=PAGE), ALWAYS),
    Fault("PATCH upload", TooLarge(LIMIT, body=PAGE), ALWAYS),
)
ROWS = [
    Row(title="413 with a page of HTML", target=PROXY),
    Row(
        title="the answer to a chunk is 201",
        target=[PROXY[0], Fault("PATCH upload", Changed(status=201), ALWAYS)],
    ),
    *(
        Row(
            title=f"the answer to a chunk has the Range {value}",
            target=[PROXY[0], Fault("PATCH upload", Changed(headers={"Range": value}), ALWAYS)],
        )
        for value in ("0-0", "bytes=0-9", None, "nonsense")
    ),
    Row(
        title="the target wants chunks of six MiB at least",
        target=[
            *PROXY,
            Fault("POST upload", Changed(headers={"OCI-Chunk-Min-Length": str(6 * MIB)}), ALWAYS),
        ],
    ),
    Row(
        title="the session is lost after the first chunk",
        target=[PROXY[0], Fault("PATCH upload", Status(404), (2,)), PROXY[1]],
    ),
    Row(
        title="a chunk is answered 503",
        target=[PROXY[0], Fault("PATCH upload", Status(503), (2,)), PROXY[1]],
    ),
]


@table(
    Row(**{name: getattr(row, name) for name in ("title", "target")}, image=IMAGE) for row in ROWS
)
def test_a_blob_that_goes_up_in_chunks(stage: Stage, row: Row, repository: str) -> None:
    result = run_row(stage, row, repository)
    chunks = [asked for asked in result.target.asked("PATCH upload") if asked.status < 300]
    assert chunks
    if PROXY[1] in row.target:
        assert all(asked.received <= LIMIT for asked in chunks)
    if "at least" in row.title:
        assert all(asked.received >= 6 * MIB for asked in chunks[:-1])
