"""Text that a registry chose reaches no terminal as it is, whatever field it stands in."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from faults.actions import Changed, Raw, Status
from faults.lies import descriptor, manifest, served
from faults.locks import Bearer, Open
from faults.message import Reply
from faults.proxy import ALWAYS, Action, Fault, FaultyRegistry
from faults.table import UNSAFE, Row, Stage, run_row, table
from regimport.cli.printer import Printer
from regimport.errors import RegimportError
from support.images import OCI_CONFIG, OCI_INDEX, Image, single
from support.program import Program

# Sets a terminal's title, clears it, writes commands of CI systems, turns text around.
NASTY = "\x1b]0;owned\x07\x1b[2J\r\n::set-output name=x::y\n##[error]\u202e\x9b31mevil"
LATIN = "\x1b]0;owned\x07\x1b[2J\x9b31m \x85::error::evil"
PAGE = f"<html><head><title>{NASTY}</title></head></html>".encode()
ERROR = json.dumps(
    {"errors": [{"code": NASTY, "message": NASTY, "detail": {NASTY: NASTY}}, {"code": NASTY}]}
).encode()


class Hostile(Bearer):
    """Asks for tokens in words that nobody should see."""

    def challenge(self, address: str) -> Reply:
        realm = f"http://{address}/token?{LATIN}"
        value = f'Bearer realm="{realm}",service="{LATIN}",error="{LATIN}",{LATIN}'
        return Reply(401, (("WWW-Authenticate", value),), ERROR)


def head(status: str, *fields: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *fields, "Content-Length: 0", "", ""]
    return "\r\n".join(lines).encode("latin-1")


PLACES = (
    ("source", "HEAD manifest"),
    ("source", "GET manifest"),
    ("source", "GET blob"),
    ("target", "GET token"),
    ("target", "POST upload"),
    ("target", "PUT upload"),
    ("target", "PUT manifest"),
)
ANSWERS: tuple[tuple[str, Action], ...] = (
    ("the codes and messages of an error", Status(418, body=ERROR)),
    ("the messages of an error that may pass", Status(503, body=ERROR)),
    ("the title of a page", Status(418, body=PAGE)),
    ("an error in plain text", Status(418, body=NASTY.encode())),
    ("an error in another encoding", Status(418, body=NASTY.encode("utf-16"))),
    ("the words behind a status", Raw(head(f"418 {LATIN}"))),
    ("a status", Raw(head(LATIN))),
    ("the name of a header", Raw(head("418 x", f"{LATIN}: 1"))),
    ("a Location", Status(307, {"Location": LATIN})),
    ("headers", Status(418, {"Warning": LATIN, "Retry-After": LATIN, "Content-Type": LATIN})),
)


ROWS = [
    *(
        Row(
            title=f"{what} of {kind} at the {side}",
            source=[Fault(kind, do, ALWAYS)] if side == "source" else (),
            target=[Fault(kind, do, ALWAYS)] if side == "target" else (),
            error=RegimportError,
        )
        for side, kind in PLACES
        # Where the answer is read by the same code, one kind of request stands for all.
        for what, do in (ANSWERS if kind in {"GET manifest", "PUT upload"} else ANSWERS[:2])
        if kind != "HEAD manifest"
    ),
    Row(
        title="the challenge of the source",
        locks=(Hostile, Bearer),
        error=RegimportError,
    ),
    Row(
        title="the place of an upload",
        target=[Fault("POST upload", Changed(headers={"Location": LATIN}), ALWAYS)],
        error=RegimportError,
        sessions=9,
    ),
    *(
        Row(
            title=f"the {name} of a blob",
            source=[Fault("GET blob", Changed(headers={name: LATIN}), ALWAYS)],
            error=RegimportError if name == "Content-Length" else None,
        )
        for name in ("Content-Encoding", "Content-Length", "Content-Type", "ETag", "Warning")
    ),
    Row(
        title="the digest that an upload is answered with",
        target=[Fault("PUT upload", Changed(headers={"Docker-Content-Digest": LATIN}), ALWAYS)],
    ),
    *(
        Row(title=f"the {name} of a layer", source=served(document), error=RegimportError)
        for name, document in (
            ("digest", manifest(descriptor(digest=f"sha256:{NASTY}"))),
            ("digest's algorithm", manifest(descriptor(digest=f"{NASTY}:{'0' * 64}"))),
            ("media type", manifest(descriptor(mediaType=NASTY))),
            ("size", manifest(descriptor(size=NASTY))),
        )
    ),
    Row(
        title="the media type of a manifest",
        source=served({**manifest(descriptor()), "mediaType": NASTY}, None),
        error=RegimportError,
    ),
    Row(
        title="JSON that stops in the middle of it",
        source=served(f'{{"a":"{NASTY}'.encode()),
        error=RegimportError,
    ),
]


@table(ROWS)
def test_a_terminal_sees_no_escape(stage: Stage, row: Row, repository: str) -> None:
    run_row(stage, row, repository)  # looks at all that is told


def painted() -> Image:
    """An image that is honest, but for its words."""
    image = Image()
    child = image.manifest(
        image.blob(json.dumps({"os": NASTY, "architecture": NASTY}).encode(), OCI_CONFIG),
        [image.blob(b"layer", "application/vnd.example+x")],
        annotations={NASTY: NASTY},
        artifactType=NASTY,
        platform={"os": NASTY, "architecture": NASTY, "variant": NASTY, "os.version": NASTY},
        descriptor_annotations={NASTY: NASTY, "org.opencontainers.image.ref.name": NASTY},
    )
    image.index([child], OCI_INDEX, annotations={NASTY: NASTY}, artifactType=NASTY)
    return image


@contextmanager
def hostile(stage: Stage, repository: str) -> Iterator[FaultyRegistry]:
    stage.set_up(repository, single(repository), None)
    image = painted()
    faults = []
    for digest, (media_type, raw) in image.manifests.items():
        faults += served(raw, media_type, path=f"manifests/{digest}")
    faults += served(image.raw, OCI_INDEX, path="manifests/1")
    tags = json.dumps({"name": NASTY, "tags": ["good", NASTY]}).encode()
    faults.append(Fault("GET tags", Status(200, body=tags), ALWAYS))
    with FaultyRegistry(stage.addresses[0], faults, lock=Open()) as registry:
        yield registry


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "{image}"),
        ("inspect", "--output=json", "{image}"),
        ("tags", "{repository}"),
        ("digest", "-vv", "{image}"),
        ("copy", "-vv", "--progress=plain", "--max-manifests=0", "{image}", "{target}"),
        ("copy", "-vv", "--progress=json", "{image}", "{target}"),
    ],
    ids=" ".join,
)
def test_what_the_program_prints_of_a_hostile_image_is_plain(
    stage: Stage, repository: str, program: Program, arguments: tuple[str, ...]
) -> None:
    with hostile(stage, repository) as registry:
        places = {
            "repository": f"{registry.address}/{repository}",
            "image": f"{registry.address}/{repository}:1",
            "target": f"{stage.addresses[1]}/{repository}",
        }
        ended = program(*(argument.format(**places) for argument in arguments))
    assert "Traceback" not in ended.err or "-vv" in arguments
    assert (ended.code == 0) == (arguments[0] != "copy")
    assert ended.out or ended.err
    assert not UNSAFE.search(ended.out)
    assert not UNSAFE.search(ended.err)


def test_a_manifest_as_it_is_keeps_its_bytes(
    stage: Stage, repository: str, program: Program
) -> None:
    with hostile(stage, repository) as registry:
        ended = program("inspect", "--raw", f"{registry.address}/{repository}:1")
    assert ended.out == painted().raw.decode()


def test_a_traceback_is_plain_too(capsys: pytest.CaptureFixture[str]) -> None:
    error = RegimportError("it broke")
    error.__cause__ = http.client.BadStatusLine(LATIN)
    error.__cause__.add_note(NASTY)
    Printer().trace(error)
    err = capsys.readouterr().err
    assert "BadStatusLine" in err
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", err)
