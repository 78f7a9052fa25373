"""Answers that are far too large, however they are packed, cost neither memory nor time."""

from __future__ import annotations

import gzip
import json
import resource
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from faults.actions import Changed, Endless, Status
from faults.lies import served
from faults.locks import Open
from faults.proxy import ALWAYS, Action, Fault, FaultyRegistry
from faults.table import LAYER, OPTIONS, SIZE, Row, Stage, run_row, table
from regimport import CopyOptions, tags
from regimport.errors import ContentMismatch, RegimportError, RegistryError
from support.images import OCI_MANIFEST

MIB = 1024**2
GZIP = {"Content-Encoding": "gzip"}
# 300 MiB of spaces are 300 kB.
BOMB = gzip.compress(b" " * 300 * MIB, 1)


def at(side: str, kind: str, do: Action, path: str = "") -> dict[str, list[Fault]]:
    return {side: [Fault(kind, do, ALWAYS, path)]}


ROWS = [
    Row(
        title="a manifest that unpacks to 300 MiB",
        source=[*served(b"{}")[:1], Fault("GET manifest", Status(200, GZIP, BOMB), ALWAYS)],
        error=RegimportError,
    ),
    Row(
        title="a blob that unpacks to 300 MiB",
        **at("source", "GET blob", Changed(headers=GZIP, body=lambda _: BOMB)),  # type: ignore[arg-type]
        error=ContentMismatch,
        most={"source GET blob": 3},
    ),
    Row(
        title="a token that unpacks to 300 MiB",
        **at("target", "GET token", Status(200, GZIP, BOMB)),  # type: ignore[arg-type]
        error=RegimportError,
    ),
    Row(
        title="an error that unpacks to 300 MiB",
        **at("target", "POST upload", Status(418, GZIP, BOMB)),  # type: ignore[arg-type]
        error=RegimportError,
    ),
    *(
        Row(
            title=f"{kind} at the {side} is answered {status} without an end",
            **at(side, kind, Endless(status=status)),  # type: ignore[arg-type]
            error=RegimportError,
            most={f"{side} {kind}": 6},
            sessions=9,
        )
        for side, kind, status in (
            ("source", "GET manifest", 200),
            ("source", "GET manifest", 404),
            ("source", "GET blob", 200),
            ("source", "GET blob", 500),
            ("target", "GET token", 200),
            ("target", "GET token", 401),
            ("target", "POST upload", 202),
            ("target", "POST upload", 500),
            ("target", "PUT upload", 400),
            ("target", "PUT manifest", 400),
        )
    ),
]


@pytest.fixture(autouse=True)
def little() -> Iterator[None]:
    """No test here takes 100 MiB more than there was before, or twenty seconds."""
    before, started = peak_memory(), time.monotonic()
    yield
    assert peak_memory() - before < 100 * MIB
    assert time.monotonic() - started < 20


def peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("transport", ["pooled", "httpx"])
@table(ROWS)
def test_an_answer_without_measure(stage: Stage, row: Row, repository: str, transport: str) -> None:
    options = CopyOptions(
        jobs=1,
        retry=replace(OPTIONS.retry, attempts=2),
        transport="httpx" if transport == "httpx" else "pooled",
    )
    run_row(stage, replace(row, options=options), repository)


@table(
    Row(
        title=f"{coding!r}",
        source=[Fault("GET blob", Changed(headers={"Content-Encoding": coding}), ALWAYS, LAYER)],
        most={"source GET blob": 3, "source bytes": 3 * SIZE},
    )
    # The bytes are as they should be: what is said of them is wrong, or means nothing.
    for coding in ("identity", "", "gzip")
)
def test_what_is_said_of_the_coding_of_a_blob(stage: Stage, row: Row, repository: str) -> None:
    run_row(stage, row, repository)


LISTS: dict[str, Action] = {
    "without an end": Endless(),
    "that unpacks to 300 MiB": Status(200, GZIP, BOMB),
    "of 40 MiB": Status(200, body=b'{"tags":["' + b"x" * 40 * MIB + b'"]}'),
    "that is a page of HTML": Status(200, {"Content-Type": "text/html"}, b"<html>sign in</html>"),
    "100 000 levels deep": Status(200, body=b"[" * 100_000 + b"]" * 100_000),
    "of something else": Status(200, body=b'{"tags":[1,2]}'),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_tags_that_is_none(stage: Stage, repository: str, name: str) -> None:
    faults = [Fault("GET tags", LISTS[name], ALWAYS)]
    with FaultyRegistry(stage.addresses[0], faults, lock=Open()) as registry:
        with pytest.raises(RegimportError) as caught:
            list(tags(f"{registry.address}/{repository}", options=OPTIONS))
        assert registry.count("GET tags") == 1
    assert caught.value.registry == registry.address


def test_pages_of_tags_that_go_in_a_circle_are_an_error(stage: Stage, repository: str) -> None:
    names = [f"t{number}" for number in range(50)]
    body = json.dumps({"tags": names}).encode()
    link = {"Link": '<?n=50&last=t49>; rel="next"'}
    faults = [Fault("GET tags", Status(200, link, body), ALWAYS)]
    with FaultyRegistry(stage.addresses[0], faults, lock=Open()) as registry:
        with pytest.raises(RegistryError, match="does not end"):
            list(tags(f"{registry.address}/{repository}", options=OPTIONS))
        assert registry.count("GET tags") == 2


def test_a_manifest_is_read_as_it_is_named(stage: Stage, repository: str) -> None:
    """A manifest in UTF-8 with every kind of odd name in it is copied as it is."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "a/b", "digest": "sha256:" + "0" * 64, "size": 5},
        "layers": [],
        "annotations": {"": "", "\u0000": "\u0000", "é": "😀", "__proto__": "x"},
    }
    row = Row(title="", source=served(document), error=RegimportError, says="404")
    run_row(stage, row, repository)
