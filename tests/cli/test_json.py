"""What programs read: documents on standard output, events on standard error, errors in both."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from regimport.cli.documents.events import AnyLine, line_of
from regimport.events import Event, ReadingManifests, Warned
from regimport.server.run import serving
from support.client import Client
from support.images import many_platforms, single
from support.program import Program
from support.shaky import Ways, shaky

LINES: TypeAdapter[object] = TypeAdapter(AnyLine)
IMAGE = many_platforms(platforms=2)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An embedded registry that has an image, and takes others."""
    with serving(tmp_path_factory.mktemp("registry")) as running:
        Client(running.address).push("app", IMAGE, "1")
        yield running.address


@pytest.fixture
def target(tmp_path: Path) -> Iterator[str]:
    """The address of another one, which is empty."""
    (tmp_path / "target").mkdir()
    with serving(tmp_path / "target") as running:
        yield running.address


def events(text: str) -> list[dict[str, Any]]:
    """The events in what went to standard error, each of them checked against the schema."""
    lines = text.splitlines()
    for line in lines:
        LINES.validate_json(line)
    found = [json.loads(line) for line in lines]
    assert found[-1]["event"] == "Finished"
    assert [line["event"] for line in found].count("Finished") == 1
    return found


def test_events_have_the_time_and_sizes_and_end_with_the_exit_code(
    program: Program, registry: str, target: str
) -> None:
    ended = program("copy", "--progress", "json", f"{registry}/app:1", f"{target}/new")
    found = events(ended.err)
    times = [datetime.fromisoformat(line["time"]) for line in found]
    assert times == sorted(times)
    assert datetime.now(UTC) - times[0] < timedelta(minutes=1)
    sizes = {digest: len(content) for digest, content in IMAGE.content().items()}
    about_blobs = [line for line in found if "blob" in line]
    assert {line["blob"] for line in about_blobs} == set(IMAGE.blobs)
    assert all(line["size"] == sizes[line["blob"]] for line in about_blobs)
    assert all(
        line["size"] == sizes[line["manifest"]] for line in found if line["event"] == "ManifestPut"
    )
    # Two layers of each platform, of which one is shared, and a config.
    shared = {line["blob"] for line in about_blobs if line["platform"] is None}
    assert len(shared) == 1
    platforms = {line["platform"] for line in about_blobs}
    assert platforms == {None, "linux/arch0", "linux/arch1"}
    assert found[-1]["exit_code"] == ended.code == 0
    assert 0 < found[-1]["duration_seconds"] < 100


@pytest.mark.parametrize("more", [(), ("-q",), ("-v",), ("-vv",), ("-o", "json")])
def test_errors_and_all_else_are_events_too(
    program: Program, registry: str, target: str, more: tuple[str, ...]
) -> None:
    config = program.folder / "config.toml"
    config.touch()
    # Anybody may change it: that is a warning.
    config.chmod(0o666)
    command = ("copy", "--progress", "json", *more, f"{registry}/app:0", f"{target}/new")
    ended = program(*command, REGIMPORT_CONFIG=str(config))
    found = {line["event"]: line for line in events(ended.err)}
    assert "config.toml" in found["Warned"]["message"]
    assert found["Failed"]["error"]["kind"] == "NotFound"
    assert found["Failed"]["error"]["exit_code"] == found["Finished"]["exit_code"] == ended.code
    assert ("Logged" in found) == ("-vv" in more)


@pytest.mark.parametrize(
    "wrong",
    [
        ("copy", "--progress", "json", "only-a-source"),
        ("copy", "--progress=json", "a", "b", "--no-such-option"),
        ("copy", "a", "b", "--jobs", "many", "--progress", "json"),
        ("copy", "a", "b", "--format", "{{.Nothing}}", "--progress", "json"),
        ("verify", "a/UPPER", "b", "--progress", "json"),
    ],
)
def test_wrong_usage_is_an_event_too(program: Program, wrong: tuple[str, ...]) -> None:
    ended = program(*wrong)
    failed, finished = events(ended.err)
    assert failed["event"] == "Failed"
    assert finished["exit_code"] == ended.code == 2
    assert ended.out == ""


def test_a_target_that_fails_is_an_event(program: Program, registry: str, target: str) -> None:
    command = ("copy", "--progress", "json", "-o", "json", f"{registry}/app:1")
    with shaky(Ways(patches=[403] * 99, puts=[403] * 99)) as closed:
        ended = program(
            *command, f"{target}/new", f"{closed.address}/app", f"{closed.address}/app:2"
        )
    # Two tags of one repository have one error.
    (failed,) = [line for line in events(ended.err) if line["event"] == "Failed"]
    assert failed["error"]["registry"] == closed.address
    assert json.loads(ended.out)["exit_code"] == ended.code == 4


def test_an_interrupted_copy_ends_with_its_events_and_its_document(
    program: Program, target: str
) -> None:
    with shaky(Ways(stall_downloads=10)) as source:
        source.keep(single(), "1")
        command = ("copy", "--progress", "json", "-o", "json", f"{source.address}/app:1")
        process = program.start(*command, f"{target}/new")
        assert source.stalled.wait(30)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert events(err)[-1]["exit_code"] == process.returncode == 130
    assert json.loads(out)["error"]["kind"] == "Interrupted"


def test_output_that_cannot_be_written_is_an_event(
    program: Program, registry: str, target: str
) -> None:
    command = ("copy", "--progress", "json", f"{registry}/app:1", f"{target}/new")
    process = program.start_shell(command, ">/dev/full")
    _, err = process.communicate(timeout=60)
    failed = events(err)[-2]
    assert failed["error"]["message"].startswith("the output could not be written")
    assert process.returncode == 1


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("copy", "{app}:0", "{app}:new"), 5),
        (("copy", "a/UPPER", "b"), 2),
        (("copy", "a"), 2),
        (("copy", "a", "b", "--max-wait", "long"), 2),
        (("verify", "{app}:0", "{app}:new"), 5),
        (("verify", "a"), 2),
        (("inspect", "{app}:0"), 5),
        (("inspect", "{app}:1", "--platform", "x"), 2),
        (("tags", "{app}0"), 5),
        (("tags", "{app}:1"), 2),
        (("digest", "{app}:0"), 5),
        (("digest",), 2),
        (("ratelimit", "::"), 2),
        (("ratelimit", "127.0.0.1:1"), 6),
        (("auth", "explain", "::"), 2),
        (("auth", "explain", "{app}", "--authfile", "/dev/null/none"), 2),
    ],
)
@pytest.mark.parametrize("output", [("-o", "json"), ("--output=json",)])
def test_an_error_is_a_document_in_every_command(
    program: Program,
    registry: str,
    command: tuple[str, ...],
    code: int,
    output: tuple[str, ...],
) -> None:
    ended = program(*(part.format(app=f"{registry}/app") for part in command), *output)
    document = json.loads(ended.out)
    assert document["schema_version"] == "1"
    assert document["exit_code"] == ended.code == code
    assert document["error"]["exit_code"] == code
    # People read it as before.
    assert "rror" in ended.err


def test_the_steps_of_a_dry_run_have_their_platforms(
    program: Program, registry: str, target: str
) -> None:
    ended = program("copy", "-n", "--dry-run", "-o", "json", f"{registry}/app:1", f"{target}/new")
    steps = json.loads(ended.out)["targets"][0]["steps"]
    named = [step["platform"] for step in steps if step["kind"] == "manifest"]
    assert sorted(map(str, named)) == ["None", "linux/arch0", "linux/arch1"]
    # Of each platform a config and a layer; the layer that both share is of none.
    blobs = [str(step["platform"]) for step in steps if step["kind"] == "blob"]
    assert sorted(blobs) == ["None", *["linux/arch0"] * 2, *["linux/arch1"] * 2]
    text = program("copy", "--dry-run", f"{registry}/app:1", f"{target}/new").out
    assert text.count("linux/arch1") == 3


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_tags_of_one_repository_share_their_counts(
    program: Program, registry: str, target: str, more: tuple[str, ...]
) -> None:
    places = (f"{target}/a:1", f"{target}/a:2", f"{target}/b:1")
    ended = program("copy", "-o", "json", *more, f"{registry}/app:1", *places)
    document = json.loads(ended.out)
    first, second, other = document["targets"]
    assert [first["repository"], other["repository"]] == [f"{target}/a", f"{target}/b"]
    assert first["tally"] == second["tally"]
    # The second repository mounts what the first is sent.
    tally = document["tally"]
    assert tally["blobs_copied"] == tally["blobs_mounted"] == len(IMAGE.blobs)
    assert tally["bytes_copied"] == sum(map(len, IMAGE.blobs.values()))
    assert f"{target}/a:2: {'to tag' if more else 'tagged'}, counted with {target}/a:1" in ended.err


def test_a_template_beside_a_document_is_wrong_usage(program: Program) -> None:
    ended = program("copy", "a", "b", "--format", "{{.Digest}}", "-o", "json")
    assert ended.code == 2
    assert "--format and --output json" in json.loads(ended.out)["error"]["message"]


def test_the_format_json_is_the_document(program: Program, registry: str, target: str) -> None:
    for more in ((), ("-o", "json")):
        ended = program("copy", "--format", "json", *more, f"{registry}/app:1", f"{target}/new")
        assert json.loads(ended.out)["digest"] == IMAGE.root
    assert json.loads(program("copy", "--format=json", "a").out)["exit_code"] == 2


def test_a_digest_is_a_document(program: Program, registry: str) -> None:
    document = json.loads(program("digest", "-o", "json", f"{registry}/app:1").out)
    assert document == {
        "schema_version": "1",
        "reference": f"{registry}/app:1",
        "digest": IMAGE.root,
        "pinned": f"{registry}/app@{IMAGE.root}",
    }


@pytest.mark.parametrize(
    "name",
    [
        "report",
        "inspection",
        "verification",
        "tags",
        "digest",
        "ratelimit",
        "explanation",
        "error",
    ],
)
def test_every_document_has_a_schema_with_a_version(program: Program, name: str) -> None:
    schema = json.loads(program("schema", name).out)
    assert schema["properties"]["schema_version"]["const"] == "1"


def test_every_event_has_a_schema_with_a_version_and_a_time(program: Program) -> None:
    schema = json.loads(program("schema", "events").out)
    names = {
        reference.rpartition("/")[2] for reference in schema["discriminator"]["mapping"].values()
    }
    # An event of one of several images is that event's line, with the name of the image.
    kinds = {kind.__name__ for kind in get_args(Event)} - {"OfImage"}
    assert kinds <= set(schema["discriminator"]["mapping"])
    for name in names:
        required = set(schema["$defs"][name]["required"])
        assert {"schema_version", "time", "event"} <= required
    assert json.loads(line_of(ReadingManifests(3)))["count"] == 3
    assert json.loads(line_of(Warned("x")))["message"] == "x"
