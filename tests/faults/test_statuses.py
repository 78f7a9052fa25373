"""A status that may pass is asked again, once a cause; one that stays is not."""

from __future__ import annotations

from faults.actions import Reset, Status, error_body
from faults.proxy import ALWAYS, Fault
from faults.table import Row, Stage, run_copy, run_row, table
from regimport.errors import (
    AccessDenied,
    NotFound,
    RegimportError,
    RegistryError,
    Unreachable,
)

PASSING = (408, 425, 429, 500, 502, 503, 504)
# All of them where an image is named, these at every kind of request.
SOME = (408, 429, 503)
AT_SOURCE = ("HEAD manifest", "GET manifest", "GET blob")
AT_TARGET = ("HEAD manifest", "GET token", "HEAD blob", "POST upload", "PUT manifest")


def passing(side: str, kind: str, status: int) -> Row:
    """A copy that meets a status once."""
    fault = [Fault(kind, Status(status, body=b"not now"))]
    return Row(
        title=f"{status} once to {kind} at the {side}",
        source=fault if side == "source" else (),
        target=fault if side == "target" else (),
    )


def passing_at(kind: str) -> tuple[int, ...]:
    return PASSING if kind in {"GET manifest", "PUT manifest"} else SOME


ONCE = [
    *(passing("source", kind, status) for kind in AT_SOURCE for status in passing_at(kind)),
    *(passing("target", kind, status) for kind in AT_TARGET for status in passing_at(kind)),
]


@table(ONCE)
def test_a_status_that_may_pass_costs_one_more_request(
    stage: Stage, row: Row, repository: str
) -> None:
    result = run_row(stage, row, repository)
    (retry,) = result.retries
    fault = next(iter([*row.source, *row.target]))
    assert isinstance(fault.do, Status)
    assert str(fault.do.status) in retry.cause
    assert fault.on.split()[0] in retry.what
    assert retry.side == ("source" if row.source else "target")
    registry = result.source if row.source else result.target
    failed = registry.asked(fault.on)[0]
    assert failed.status == fault.do.status
    same = [asked for asked in registry.asked(fault.on) if asked.path == failed.path]
    # What is asked of a tag again at the end is no repetition.
    assert len(same) == 2 or (fault.on == "HEAD manifest" and len(same) == 3)


UPLOADS = [
    Row(
        title=f"{status} once to the PUT that fills an upload",
        target=[Fault("PUT upload", Status(status))],
        # The blob is asked for, and another session is opened: a body goes into each once.
        most={"target PUT upload": 3, "target POST upload": 3, "target HEAD blob": 3},
        retries=True,
    )
    for status in (408, 429, 500, 502, 503, 504)
]
TIMES = [
    Row(
        title="503 four times to PUT of the manifest",
        target=[Fault("PUT manifest", Status(503), (1, 2, 3, 4))],
        most={"target PUT manifest": 5},
    ),
    Row(
        title="503 for ever to PUT of the manifest",
        target=[Fault("PUT manifest", Status(503), ALWAYS)],
        most={"target PUT manifest": 5},
        error=Unreachable,
        says="503",
    ),
    Row(
        title="503 for ever to PUT of an upload",
        target=[Fault("PUT upload", Status(503), ALWAYS)],
        most={"target PUT upload": 5},
        error=Unreachable,
        says="503",
    ),
    Row(
        title="502 for ever to GET of a manifest",
        source=[Fault("GET manifest", Status(502), ALWAYS)],
        most={"source GET manifest": 5},
        error=Unreachable,
        says="502",
    ),
    Row(
        title="503 for ever to HEAD of blobs at the target",
        target=[Fault("HEAD blob", Status(503), ALWAYS)],
    ),
    Row(
        title="500 for ever to every mount",
        target=[Fault("POST upload", Status(500), ALWAYS, "mount=")],
    ),
    Row(
        title="every request of the source fails once, in one way or another",
        source=[
            Fault("HEAD manifest", Status(503)),
            Fault("GET manifest", Reset()),
            Fault("GET blob", Status(429), (1, 3)),
        ],
    ),
]


@table([*UPLOADS, *TIMES])
def test_what_fails_for_longer(stage: Stage, row: Row, repository: str) -> None:
    run_row(stage, row, repository)


def staying(status: int, error: type[RegimportError]) -> list[Row]:
    says = str(status)
    # Some registries forbid a write by chance: it is tried once more.
    again = 1 if status == 403 else 0
    return [
        Row(
            title=f"{status} to GET of the manifest",
            source=[Fault("GET manifest", Status(status), ALWAYS)],
            error=error,
            says=says,
            most={"source GET manifest": 1},
            retries=False,
        ),
        Row(
            title=f"{status} to GET of a blob",
            source=[Fault("GET blob", Status(status), ALWAYS)],
            error=error,
            says=says,
            most={"source GET blob": 1},
            retries=False,
        ),
        Row(
            title=f"{status} to POST of an upload",
            target=[Fault("POST upload", Status(status), ALWAYS)],
            error=error,
            says=says,
            most={"target POST upload": 2 + again},
            retries=False,
        ),
        Row(
            title=f"{status} to PUT of the manifest",
            target=[Fault("PUT manifest", Status(status), ALWAYS)],
            error=error,
            says=says,
            most={"target PUT manifest": 1 + again},
            retries=False,
        ),
    ]


STAYING = [
    *staying(400, RegistryError),
    *staying(403, AccessDenied),
    *staying(404, NotFound),
    *staying(405, RegistryError),
    *staying(413, RegistryError),
    *staying(415, RegistryError),
    *staying(422, RegistryError),
    *staying(501, Unreachable),
]


@table(STAYING)
def test_a_status_that_stays_is_met_once(stage: Stage, row: Row, repository: str) -> None:
    run_row(stage, row, repository)


def test_every_retry_is_told_with_its_cause_and_delay(stage: Stage, repository: str) -> None:
    row = Row(title="", source=[Fault("GET blob", Status(503, body=error_body("BUSY")), (1, 2))])
    stage.set_up(repository, row.image, None)
    with stage.between(row.source) as (source, target):
        result = run_copy(source, target, repository)
    first, second = result.retries
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.attempts == 5
    assert "BUSY" in first.cause
    assert 0 < first.delay < second.delay <= 0.02
