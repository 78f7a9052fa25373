"""Upload sessions that get lost, move, lie, or are refused."""

from __future__ import annotations

import pytest

from faults.actions import Changed, Early, Moved, Status, error_body
from faults.proxy import ALWAYS, Fault, FaultyRegistry
from faults.table import IMAGE, OLD, Row, Stage, run_copy, run_row, table
from regimport.errors import ContentMismatch, NotFound, RegistryError, Unreachable
from support.images import artifact

PROXY_PAGE = b"<html><head><title>413 Request Entity Too Large</title></head></html>"

LOST = [
    Row(
        title=f"the session is lost: {status} {code}",
        target=[Fault("PUT upload", Status(status, body=error_body(code)))],
        most={"target PUT upload": 3, "target POST upload": 3},
        retries=True,
    )
    for status, code in (
        (404, "BLOB_UPLOAD_UNKNOWN"),
        (404, "BLOB_UPLOAD_INVALID"),
        (404, ""),
        (400, "BLOB_UPLOAD_UNKNOWN"),
        (400, "BLOB_UPLOAD_INVALID"),
        (416, "RANGE_INVALID"),
    )
]
REFUSED = [
    Row(
        title="every session is lost",
        target=[Fault("PUT upload", Status(404, body=error_body("BLOB_UPLOAD_UNKNOWN")), ALWAYS)],
        error=Unreachable,
        says="BLOB_UPLOAD_UNKNOWN",
        most={"target PUT upload": 5},
    ),
    Row(
        title="DIGEST_INVALID once",
        target=[Fault("PUT upload", Status(400, body=error_body("DIGEST_INVALID")))],
        most={"target PUT upload": 3},
    ),
    Row(
        title="DIGEST_INVALID for ever",
        target=[Fault("PUT upload", Status(400, body=error_body("DIGEST_INVALID")), ALWAYS)],
        error=ContentMismatch,
        says="DIGEST_INVALID",
        most={"target PUT upload": 2},
    ),
    Row(
        title="the repository does not exist: 404 NAME_UNKNOWN",
        target=[Fault("POST upload", Status(404, body=error_body("NAME_UNKNOWN")), ALWAYS)],
        error=NotFound,
        says="NAME_UNKNOWN",
        most={"target POST upload": 2},
        before=None,
    ),
    Row(
        title="413 to every body of more than a little, early, with a page of HTML",
        target=[Fault("PUT upload", Early(413, body=PROXY_PAGE), ALWAYS)],
        error=RegistryError,
        says="413",
        most={"target PUT upload": 6},
    ),
]
ODD = [
    Row(
        title="no Location at all",
        target=[Fault("POST upload", Changed(headers={"Location": None}), ALWAYS)],
        error=RegistryError,
        says="no Location",
        sessions=2,
        most={"target POST upload": 2},
    ),
    Row(
        title="no Location, once",
        target=[Fault("POST upload", Changed(headers={"Location": None}))],
        sessions=1,
        most={"target POST upload": 3},
    ),
    *(
        Row(
            title=f"the PUT that fills an upload is answered {status} in the place of 201",
            target=[Fault("PUT upload", Changed(status=status), ALWAYS)],
            most={"target PUT upload": 2, "source GET blob": 2},
        )
        for status in (200, 202, 204)
    ),
    *(
        Row(
            title=f"the PUT that fills an upload is answered {status}, and the blob is not there",
            target=[Fault("PUT upload", Status(status), ALWAYS)],
            error=Unreachable,
            says=str(status),
            most={"target PUT upload": 5},
        )
        for status in (200, 202, 204)
    ),
    Row(
        title="POST without a mount says 201, and nothing is there",
        target=[
            Fault("POST upload", Status(201, {"Location": "/v2/x/blobs/sha256:0"}), ALWAYS),
        ],
        error=RegistryError,
        says="201",
        most={"target PUT upload": 0},
    ),
    Row(
        title="POST with a mount says 201, and nothing is there",
        target=[Fault("POST upload", Status(201), ALWAYS, "mount=")],
        most={"target PUT upload": 2},
    ),
    *(
        Row(
            title=f"a mount is answered {status}",
            target=[Fault("POST upload", Status(status), ALWAYS, "mount=")],
            most={"target PUT upload": 2},
        )
        for status in (400, 401, 403, 404, 405, 500, 501)
    ),
    Row(
        title="an empty blob and a tiny one",
        image=artifact(),
        most={"target PUT upload": 3},
    ),
    Row(
        title="giving a session back is refused",
        source=[Fault("GET blob", Changed(body=lambda body: b"x" * len(body)), ALWAYS)],
        target=[Fault("DELETE upload", Status(405), ALWAYS)],
        error=ContentMismatch,
        sessions=3,
    ),
]


@table([*LOST, *REFUSED, *ODD])
def test_an_upload_that_goes_badly(stage: Stage, row: Row, repository: str) -> None:
    result = run_row(stage, row, repository)
    bodies = [asked.path for asked in result.target.asked("PUT upload") if asked.length]
    assert len(set(bodies)) == len(bodies), "a body was sent twice into one session"


FORMS = (
    "{path}",
    "{name}",
    "{path}&more=a%2Fb%3D",
    "http://{host}{path}",
    "//{host}{path}",
    "  {path}  ",
    "HTTP://{host}{path}",
)


@pytest.mark.parametrize("form", FORMS)
def test_the_place_of_an_upload_may_be_written_in_any_way(
    stage: Stage, repository: str, form: str
) -> None:
    row = Row(title=form, target=[Fault("POST upload", Moved(form), ALWAYS)])
    result = run_row(stage, row, repository)
    assert result.target.count("PUT upload") == 2
    for asked in result.target.asked("PUT upload"):
        assert "_state=planted-state-1&" in asked.path
        assert ("more=a%2Fb%3D&" in asked.path) == ("more" in form)


def test_an_upload_that_goes_to_another_host_takes_no_credentials_there(
    stage: Stage, repository: str
) -> None:
    stage.set_up(repository, IMAGE, OLD)
    with FaultyRegistry(stage.addresses[1]) as elsewhere:
        faults = [Fault("POST upload", Moved(f"http://{elsewhere.address}{{path}}"), ALWAYS)]
        with stage.between(target=faults) as (source, target):
            result = run_copy(source, target, repository)
    assert result.error is None
    assert stage.state(repository) == IMAGE.content()
    assert elsewhere.count("PUT upload") == 2
    for asked in elsewhere.log:
        assert not {"authorization", "cookie", "proxy-authorization"} & set(asked.headers)


@table(
    Row(
        title=form,
        target=[Fault("POST upload", Moved(form), ALWAYS)],
        error=RegistryError,
        sessions=3,
        most={"target POST upload": 2, "target PUT upload": 0},
    )
    for form in (
        "http://user:planted-signature-@{host}{path}",
        "file:///etc/passwd",
        "ftp://{host}{path}",
        "http://169.254.169.254/latest",
        "http://[::ffff:169.254.169.254]/latest",
        "http://0x7f000001/",
        "http://{host}:99999{path}",
        "\x1b]0;title\x07",
        "javascript:alert(1)",
    )
)
def test_a_place_of_an_upload_that_no_registry_may_name_is_refused(
    stage: Stage, row: Row, repository: str
) -> None:
    result = run_row(stage, row, repository)
    assert result.error is not None
    assert "\x1b" not in result.error.message
