"""A registry that asks for patience gets it, from all workers, within bounds."""

from __future__ import annotations

import time
from dataclasses import replace
from email.utils import formatdate

import pytest

from faults.actions import Late, Raw, Status
from faults.message import Asked
from faults.proxy import ALWAYS, Fault
from faults.table import OPTIONS, Row, Stage, run_copy, run_row, table
from regimport.errors import RateLimited, Unreachable
from support.images import many_platforms

ONE_SECOND = {"Retry-After": "1"}
A_DAY = {"Retry-After": "86400"}
IN_2065 = {"Retry-After": formatdate(3_000_000_000, usegmt=True)}
HTML = b"<html><head><title>Too fast</title></head><body>\x1b[31mslow down</body></html>"
# Seen from a real registry: an answer whose lines end without a carriage return.
LF_ONLY = b"HTTP/1.1 429 Too Many Requests\nRetry-After: 0\nContent-Length: 2\n\nno"

ROWS = [
    Row(
        title="429 without Retry-After to GET of a manifest",
        source=[Fault("GET manifest", Status(429))],
        most={"source GET manifest": 2},
        retries=True,
    ),
    Row(
        title="429 without Retry-After to PUT of a manifest",
        target=[Fault("PUT manifest", Status(429))],
        most={"target PUT manifest": 2},
        retries=True,
    ),
    Row(
        title="429 for ever, without Retry-After",
        source=[Fault("GET manifest", Status(429), ALWAYS)],
        error=RateLimited,
        most={"source GET manifest": 5},
    ),
    Row(
        title="429 with a page of HTML",
        source=[Fault("GET blob", Status(429, {"Content-Type": "text/html"}, HTML))],
        most={"source GET blob": 3},
        retries=True,
    ),
    Row(
        title="429 whose lines end in a line feed alone",
        source=[Fault("GET manifest", Raw(LF_ONLY))],
        most={"source GET manifest": 2},
        retries=True,
    ),
    *(
        Row(
            title=f"429 that asks to wait {name}, at {kind} of the {side}",
            source=[Fault(kind, Status(429, header), ALWAYS)] if side == "source" else (),
            target=[Fault(kind, Status(429, header), ALWAYS)] if side == "target" else (),
            error=RateLimited,
            most={f"{side} {kind}": 1},
            retries=False,
        )
        for name, header in (("a day", A_DAY), ("until 2065", IN_2065))
        for side, kind in (
            ("source", "HEAD manifest"),
            ("source", "GET manifest"),
            ("source", "GET blob"),
            ("target", "POST upload"),
            ("target", "PUT upload"),
            ("target", "PUT manifest"),
            ("target", "GET token"),
        )
    ),
    Row(
        title="503 that asks to wait a day",
        target=[Fault("PUT manifest", Status(503, A_DAY), ALWAYS)],
        error=Unreachable,
        most={"target PUT manifest": 1},
        retries=False,
    ),
    Row(
        title="Retry-After that is neither seconds nor a date",
        source=[Fault("GET manifest", Status(429, {"Retry-After": "soon; -1"}))],
        most={"source GET manifest": 2},
        retries=True,
    ),
]


@table(ROWS)
def test_a_rate_limit(stage: Stage, row: Row, repository: str) -> None:
    result = run_row(stage, row, repository)
    if isinstance(result.error, RateLimited) and "asks to wait" in row.title:
        assert result.error.retry_after is not None
        assert result.error.retry_after > 80_000
        assert result.error.exit_code == 8


@pytest.mark.parametrize(
    ("side", "kind", "status"),
    [
        ("source", "GET manifest", 429),
        ("source", "GET blob", 503),
        ("target", "PUT upload", 429),
    ],
)
def test_all_workers_of_a_registry_wait_as_long_as_it_asks(
    stage: Stage, repository: str, side: str, kind: str, status: int
) -> None:
    image = many_platforms(repository, platforms=4)
    stage.set_up(repository, image, None)
    # The date form says whole seconds: half a second may be lost of what is asked for here.
    until = formatdate(time.time() + 1.99, usegmt=True)
    header = ONE_SECOND if kind != "GET blob" else {"Retry-After": until}
    faults = [Fault(kind, Status(status, header), (2,))]
    ends = (faults, ()) if side == "source" else ((), faults)
    with stage.between(*ends) as (source, target):
        result = run_copy(source, target, repository, replace(OPTIONS, jobs=4))
    assert result.error is None
    log = (source if side == "source" else target).log
    refused = next(asked for asked in log if asked.status == status)
    later = [asked for asked in log if asked.began > refused.ended + 0.1]
    assert later
    assert later[0].began - refused.ended > 0.85
    assert stage.state(repository) == image.content()


def test_a_429_lowers_how_many_requests_are_under_way_at_once(
    stage: Stage, repository: str
) -> None:
    image = many_platforms(repository, platforms=12)
    stage.set_up(repository, image, None)
    slow = Fault("GET blob", Late(0.05), ALWAYS)
    with stage.between([Fault("GET blob", Status(429), (9,)), slow]) as (source, target):
        result = run_copy(source, target, repository, replace(OPTIONS, jobs=8))
    assert result.error is None
    log = source.asked("GET blob")
    refused = next(asked for asked in log if asked.status == 429)
    assert peak(log[:8]) == 8
    # Those that were under way already do not count.
    assert peak([asked for asked in log if asked.began > refused.ended + 0.05]) <= 5


def peak(log: list[Asked]) -> int:
    """How many requests were under way at once, at most."""
    return max(sum(one.began <= asked.began < one.ended for one in log) for asked in log)
