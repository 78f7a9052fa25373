"""Registries that answer HEAD badly, or lie in it."""

from __future__ import annotations

from faults.actions import Changed, Status, error_body
from faults.proxy import ALWAYS, Fault
from faults.table import LAYER, SIZE, Row, Stage, run_row, table
from regimport.errors import RegistryError

YES = {"Content-Length": str(SIZE), "Docker-Content-Digest": LAYER}

ROWS = [
    Row(
        title="HEAD of a blob says yes, with another length",
        target=[Fault("HEAD blob", Status(200, {"Content-Length": "7"}), ALWAYS)],
        most={"target PUT upload": 2, "target PUT manifest": 1},
    ),
    Row(
        title="HEAD of a blob says yes, with another digest",
        target=[
            Fault(
                "HEAD blob",
                Status(200, {**YES, "Docker-Content-Digest": f"sha256:{'0' * 64}"}),
                ALWAYS,
            )
        ],
        most={"target PUT upload": 2, "target PUT manifest": 1},
    ),
    Row(
        title="HEAD of a blob says yes, and the manifest is refused for want of it",
        target=[Fault("HEAD blob", Status(200, YES), (1, 2), LAYER)],
        most={"target PUT upload": 3},
    ),
    Row(
        title="HEAD of a blob says yes for ever, and the manifest is refused for want of it",
        target=[Fault("HEAD blob", Status(200, YES), ALWAYS, LAYER)],
        most={"target PUT upload": 3},
    ),
    *(
        Row(
            title=f"HEAD of a blob at the target is answered {status}",
            target=[Fault("HEAD blob", Status(status), ALWAYS)],
            most={"target PUT upload": 2},
        )
        for status in (400, 401, 403, 404, 405)
    ),
    Row(
        title="HEAD of a blob at the target is answered 501",
        target=[Fault("HEAD blob", Status(501), ALWAYS)],
        most={"target PUT upload": 2},
    ),
    *(
        Row(
            title=f"HEAD of a manifest at the target is answered {status}",
            target=[Fault("HEAD manifest", Status(status), (1, 2))],
            most={"target PUT manifest": 1},
        )
        for status in (400, 403, 404, 405, 501)
    ),
    *(
        Row(
            title=f"HEAD of a manifest at the source is answered {status}, GET is not",
            source=[Fault("HEAD manifest", Status(status), ALWAYS)],
            most={"source GET manifest": 2},
        )
        for status in (400, 405, 501)
    ),
    *(
        Row(
            title=f"the manifest is refused once with {status} {code}: a replica lags behind",
            target=[Fault("PUT manifest", Status(status, body=error_body(code)))],
            most={"target PUT manifest": 2},
        )
        for status, code in (
            (404, "MANIFEST_BLOB_UNKNOWN"),
            (400, "MANIFEST_BLOB_UNKNOWN"),
            (400, "BLOB_UNKNOWN"),
            (404, "MANIFEST_UNKNOWN"),
        )
    ),
    Row(
        title="the manifest is refused for ever: 400 MANIFEST_BLOB_UNKNOWN",
        target=[
            Fault("PUT manifest", Status(400, body=error_body("MANIFEST_BLOB_UNKNOWN")), ALWAYS)
        ],
        error=RegistryError,
        says="MANIFEST_BLOB_UNKNOWN",
        most={"target PUT manifest": 5},
    ),
    *(
        Row(
            title=f"the answers to the manifest have no {name}",
            source=[Fault("* manifest", Changed(headers={name: None}), ALWAYS)],
            target=[Fault("* manifest", Changed(headers={name: None}), ALWAYS)],
            most={"target PUT manifest": 1, "source GET manifest": 2},
        )
        for name in ("Docker-Content-Digest", "Content-Type", "ETag")
    ),
    Row(
        title="the digest that the source's headers have is garbage",
        source=[
            Fault(
                "* manifest", Changed(headers={"Docker-Content-Digest": "sha256:../../x"}), ALWAYS
            )
        ],
        most={"source GET manifest": 2},
    ),
]


@table(ROWS)
def test_a_head_that_is_odd(stage: Stage, row: Row, repository: str) -> None:
    run_row(stage, row, repository)
