"""`regimport verify` and `copy --verify`: what is not as it must be is found, and named."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.measure import launch
from faults.actions import Changed, Cut, Status, flipped
from faults.locks import Bearer
from faults.proxy import ALWAYS, Fault, FaultyRegistry
from regimport import copy, verify
from regimport.server.run import serving
from support.client import Client
from support.images import FORMS, OCI_CONFIG, Image, many_platforms, single
from support.program import Program

IMAGE = many_platforms("verified", size=50_000)


@dataclass
class Both:
    """Two registries that hold the image under one name, and the folder of the second."""

    source: str
    target: str
    folder: Path

    def file(self, digest: str) -> Path:
        return self.folder / "blobs" / digest.replace(":", "/")


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    folder = tmp_path / "target"
    with serving(tmp_path / "source") as source, serving(folder) as target:
        for registry in (source, target):
            Client(registry.address).push("team/app", IMAGE, "1")
        yield Both(f"{source.address}/team/app", f"{target.address}/team/app", folder)


def of_kind(kind: str) -> str:
    """A digest of the image: the layer or the config of the second platform, or its manifest."""
    child = json.loads(IMAGE.raw)["manifests"][1]["digest"]
    if kind == "manifest":
        return str(child)
    manifest = json.loads(IMAGE.manifests[child][1])
    return str((manifest["config"] if kind == "config" else manifest["layers"][1])["digest"])


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_image_that_was_copied_is_as_it_must_be(tmp_path: Path, form: str) -> None:
    image = FORMS[form]()
    with serving(tmp_path / "a") as source, serving(tmp_path / "b") as target:
        Client(source.address).push("app", image, "1")
        names = (f"{source.address}/app:1", f"{target.address}/app")
        copy(*names)
        found = verify(*names)
    assert (found.differences, found.exit_code) == ((), 0)
    assert found.target == f"{target.address}/app@{image.root}"
    assert [end.manifests for end in found.ends] == [len(image.manifests)] * 2


def test_what_is_as_it_must_be_gives_the_target_by_digest(program: Program, both: Both) -> None:
    ended = program("verify", f"{both.source}:1", both.target)
    assert (ended.code, ended.out) == (0, f"{both.target}@{IMAGE.root}\n"), ended
    assert ended.err.count("no differences") == 2


def test_the_report_says_what_was_read_at_each_end(program: Program, both: Both) -> None:
    ended = program("verify", "-o", "json", f"{both.source}:1", both.target)
    document = json.loads(ended.out)
    assert (document["exit_code"], document["error"]) == (0, None)
    assert document["target"] == f"{both.target}@{IMAGE.root}"
    assert [end["side"] for end in document["ends"]] == ["source", "target"]
    for end in document["ends"]:
        assert end["manifests"] == len(IMAGE.manifests)
        assert end["blobs"] == len(IMAGE.blobs)
        assert end["bytes_read"] == sum(map(len, IMAGE.blobs.values()))
        assert end["differences"] == []


def test_with_target_only_the_source_is_asked_once_and_not_read(
    program: Program, both: Both
) -> None:
    with FaultyRegistry(both.source.partition("/")[0]) as source:
        name = f"{source.address}/team/app:1"
        assert program("verify", "--target-only", name, both.target).code == 0
        assert [asked.kind for asked in source.log] == ["HEAD manifest"]


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize("kind", ["layer", "config", "manifest"])
@pytest.mark.parametrize(
    ("harm", "flaw", "code"),
    [(flip, "digest", 7), (cut, "size", 7), (Path.unlink, "missing", 5)],
)
def test_what_is_wrong_at_the_target_is_named_with_its_platform(
    program: Program,
    both: Both,
    kind: str,
    harm: Callable[[Path], None],
    flaw: str,
    code: int,
) -> None:
    digest = of_kind(kind)
    harm(both.file(digest))
    ended = program("verify", "-o", "json", f"{both.source}:1", both.target)
    document = json.loads(ended.out)
    (found,) = [one for end in document["ends"] for one in end["differences"]]
    assert ended.code == document["exit_code"] == code
    assert (found["side"], found["what"], found["name"]) == ("target", kind, digest)
    assert found["platform"] == "linux/arch1"
    # A manifest that is cut hashes to something else: its size is not looked at before.
    assert found["flaw"] == ("digest" if (kind, flaw) == ("manifest", "size") else flaw)
    text = program("verify", f"{both.source}:1", both.target)
    assert text.code == code
    assert text.out.startswith(f"target: {kind} {digest} of linux/arch1 ")
    assert text.out.count("\n") == 1


def test_a_source_that_serves_other_bytes_is_named_too(program: Program, both: Both) -> None:
    layer = of_kind("layer")
    lie = Fault("GET blob", Changed(body=flipped(7)), ALWAYS, layer)
    with FaultyRegistry(both.source.partition("/")[0], [lie]) as source:
        ended = program("verify", f"{source.address}/team/app:1", both.target)
    assert ended.code == 7
    assert ended.out.startswith(f"source: layer {layer} of linux/arch1 has other content")


def test_a_blob_that_is_read_badly_once_is_read_again(program: Program, both: Both) -> None:
    faults = [
        Fault("GET blob", Changed(body=flipped(7)), path=of_kind("layer")),
        Fault("GET blob", Cut(10), path=of_kind("config")),
    ]
    with FaultyRegistry(both.target.partition("/")[0], faults) as target:
        ended = program("verify", f"{both.source}:1", f"{target.address}/team/app")
    assert ended.code == 0, ended


@pytest.mark.parametrize(
    ("kind", "words"),
    [("moved", f"points to {single('other').root}, not {IMAGE.root}"), ("none", "is missing")],
)
def test_a_tag_that_is_not_at_the_image_is_named(
    program: Program, both: Both, kind: str, words: str
) -> None:
    if kind == "moved":
        address, _, repository = both.target.partition("/")
        Client(address).push(repository, single("other"), "2")
    ended = program("verify", f"{both.source}:1", f"{both.target}:2")
    assert (ended.code, ended.out) == (7 if kind == "moved" else 5, f"target: tag 2 {words}\n")


def test_a_target_that_has_nothing_of_the_image_is_told_in_few_words(
    program: Program, both: Both
) -> None:
    ended = program("verify", f"{both.source}:1", f"{both.target}/no")
    assert ended.code == 5
    assert ended.out == (f"target: tag 1 is missing\ntarget: manifest {IMAGE.root} is missing\n")


def test_a_source_that_is_not_there_is_an_error(program: Program, both: Both) -> None:
    ended = program("verify", "-o", "json", f"{both.source}:no", both.target)
    assert ended.code == json.loads(ended.out)["exit_code"] == 5
    assert "the source has no" in ended.err


def test_a_target_pinned_to_another_digest_is_refused(program: Program, both: Both) -> None:
    ended = program("verify", f"{both.source}:1", f"{both.target}@{single('other').root}")
    assert ended.code == 7


def test_a_layout_is_verified_on_either_side(program: Program, both: Both) -> None:
    layout = program.folder / "images"
    assert program("copy", f"{both.source}:1", f"oci:{layout}").code == 0
    assert program("verify", f"{both.source}:1", f"oci:{layout}").code == 0
    assert program("verify", f"oci:{layout}:1", both.target).code == 0
    digest = of_kind("layer")
    file = layout / "blobs" / digest.replace(":", "/")
    for harm, words, code in (
        (flip, "has other content", 7),
        (cut, "has 49999 bytes, not 50000 bytes", 7),
        (Path.unlink, "is missing", 5),
    ):
        harm(file)
        ended = program("verify", f"{both.source}:1", f"oci:{layout}")
        assert ended.code == code, ended
        assert ended.out.startswith(f"target: layer {digest} of linux/arch1 {words}")


def test_reading_the_target_asks_for_no_right_to_push(program: Program, both: Both) -> None:
    with FaultyRegistry(both.target.partition("/")[0], lock=Bearer()) as target:
        program("verify", f"{both.source}:1", f"{target.address}/team/app")
        tokens = target.asked("GET token")
        assert tokens
        assert all("push" not in asked.path for asked in tokens)


def test_copy_with_verify_reads_the_target_back_and_the_source_once(
    program: Program, both: Both
) -> None:
    one, other = (both.source.partition("/")[0], both.target.partition("/")[0])
    with FaultyRegistry(one) as source, FaultyRegistry(other) as target:
        command = ("copy", "--verify", "-o", "json", f"{source.address}/team/app:1")
        ended = program(*command, f"{target.address}/new:1", f"{target.address}/new:2")
        assert ended.code == 0, ended
        assert source.count("GET blob") == len(IMAGE.blobs)
        assert target.count("GET blob") == len(IMAGE.blobs)
    for entry in json.loads(ended.out)["targets"]:
        assert entry["status"] == "copied"
        assert entry["verification"]["blobs"] == len(IMAGE.blobs)
        assert entry["verification"]["differences"] == []


def test_copy_with_verify_fails_where_a_target_serves_other_bytes(
    program: Program, both: Both
) -> None:
    layer = of_kind("layer")
    lie = Fault("GET blob", Changed(body=flipped(7)), ALWAYS, layer)
    with FaultyRegistry(both.target.partition("/")[0], [lie]) as target:
        good = f"{both.target}/good"
        command = ("copy", "--verify", "-o", "json", f"{both.source}:1")
        ended = program(*command, f"{target.address}/new", good)
    assert ended.code == 7, ended
    bad, fine = json.loads(ended.out)["targets"]
    assert (bad["status"], fine["status"]) == ("failed", "copied")
    assert bad["error"]["kind"] == "ContentMismatch"
    assert [one["name"] for one in bad["verification"]["differences"]] == [layer]
    assert f"layer {layer} of linux/arch1 has other content" in ended.err


def test_copy_with_verify_reads_what_was_there_before(program: Program, both: Both) -> None:
    both.file(of_kind("layer")).unlink()
    assert program("copy", f"{both.source}:1", both.target).code == 0
    ended = program("copy", "--verify", f"{both.source}:1", both.target)
    assert ended.code == 5
    assert "is missing" in ended.err


def test_a_target_that_may_not_be_read_fails_alone(program: Program, both: Both) -> None:
    refusal = Fault("GET blob", Status(403), ALWAYS)
    with FaultyRegistry(both.target.partition("/")[0], [refusal]) as target:
        command = ("copy", "--verify", "-o", "json", f"{both.source}:1")
        ended = program(*command, f"{target.address}/new", f"{both.target}/good")
    bad, fine = json.loads(ended.out)["targets"]
    assert (bad["status"], fine["status"]) == ("failed", "copied")
    assert (bad["error"]["exit_code"], ended.code) == (4, 4)


def test_the_schema_of_the_report_is_printed(program: Program) -> None:
    assert "differences" in program("schema", "verification").out
    assert "verification" in program("schema", "report").out


def test_progress_is_told_as_lines_and_as_events(program: Program, both: Both) -> None:
    ended = program("verify", "--progress", "plain", f"{both.source}:1", both.target)
    assert f"reading {2 * len(IMAGE.blobs)} blobs back" in ended.err
    lines = program("verify", "--progress", "json", f"{both.source}:1", both.target).err
    events = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    moved = [event["count"] for event in events if event["event"] == "BytesMoved"]
    assert sum(moved) == 2 * sum(map(len, IMAGE.blobs.values()))
    assert {event["side"] for event in events if event["event"] == "BlobFinished"} == {
        "source",
        "target",
    }


def test_bars_are_drawn_for_a_copy_that_is_verified(program: Program, both: Both) -> None:
    command = ("copy", "--verify", "--progress", "tty", f"{both.source}:1")
    ended = program(*command, f"{both.target}/new")
    assert ended.code == 0, ended


def test_a_layer_of_192_mib_is_verified_in_less_than_100_mib_of_memory(
    both: Both, tmp_path: Path
) -> None:
    image = Image()
    image.manifest(image.blob(b"{}", OCI_CONFIG), [image.blob(bytes(192 * 1024**2))])
    Client(both.target.partition("/")[0]).push("team/app", image, "large")
    name = f"{both.target}:large"
    command = [sys.executable, "-m", "regimport", "verify", "--target-only", "-q", name, name]
    cost = launch(command, tmp_path, dict(os.environ))
    assert cost.memory < 100
