"""`regimport copy` for several images: its options, output and exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from regimport.cli.documents.many import ManyReportDocument
from support.images import single
from support.miniature import Miniature
from support.program import Program
from support.scripted import Scripted


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[str, str, Path]]:
    """Two registries, and a list with an image that the first one does not have."""
    with ExitStack() as stack:
        held = Miniature()
        for number in (0, 2):
            held.hold(f"app{number}", single(str(number)), "1")
        a, b = (stack.enter_context(Scripted(script)) for script in (held, Miniature()))
        path = tmp_path / "list"
        lines = [f"{a.address}/app{number}:1 {b.address}/x{number}" for number in range(3)]
        path.write_text("\n".join(["# ours", *lines]))
        yield a.address, b.address, path


def test_a_list_is_copied_with_a_line_each_and_a_sum_and_its_failures_count(
    program: Program, ends: tuple[str, str, Path]
) -> None:
    a, b, path = ends
    ended = program("copy", "--from-file", str(path))
    assert ended.code == 1
    assert ended.out.splitlines() == [f"{b}/x{n}@{single(str(n)).root}" for n in (0, 2)]
    assert f"error: the source has no {a}/app1:1" in ended.err
    assert "3 images: 2 copied, 1 failed in " in ended.err.splitlines()[-1]
    ended = program("copy", "--from-file", "-", "-o", "json", "-q", stdin=path.read_text())
    document = ManyReportDocument.model_validate_json(ended.out)
    assert [image.status for image in document.images] == ["present", "failed", "present"]
    assert (ended.code, document.exit_code, ended.err) == (1, 1, "")


def test_a_list_with_a_wrong_line_copies_nothing_and_is_a_document_too(
    program: Program, ends: tuple[str, str, Path]
) -> None:
    path = ends[2]
    path.write_text(f"{path.read_text()}\n--help\n")
    ended = program("copy", "--from-file", str(path), "-o", "json")
    document = ManyReportDocument.model_validate_json(ended.out)
    assert ended.code == document.exit_code == 2
    assert document.error is not None
    assert document.error.message == f"{path}:5: '--help' is no image; a list has no options"


def test_events_name_the_image_that_they_are_of(
    program: Program, ends: tuple[str, str, Path]
) -> None:
    ended = program("copy", "--from-file", str(ends[2]), "--progress", "json")
    lines = [json.loads(line) for line in ended.err.splitlines()]
    of_images = {line["image"] for line in lines if line["event"] == "ManifestPut"}
    assert of_images == {f"{ends[0]}/app{number}:1" for number in (0, 2)}
    assert [line["finished"] for line in lines if line["event"] == "ImageFinished"] == [1, 2, 3]
    assert lines[-1]["exit_code"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.example/x", "--from-file", "list"], "--from-file names all images itself"),
        (["--from-file", "list", "--all-tags"], "--from-file names all images itself"),
        (["a.example/x", "b.example/x", "--target", "c.example"], "--target is for --from-file"),
        (["a.example/x", "b.example/x", "--exclude-tags", "*"], "--exclude-tags is for"),
        (["a.example/x", "--all-tags"], "the tags need a source and a target"),
        (["a.example/x:1", "b.example/x", "--all-tags"], "names an image, but tags are copied"),
        (["a.example/x", "b.example/x", "--tags", "a b"], "no tag can match"),
        (["x", "b.example/x", "--all-tags", "-r", "a.azurecr.io"], "--source-registry is for one"),
        (["a.example/x"], "a copy needs a source and a target"),
    ],
)
def test_options_that_exclude_each_other_are_refused(
    program: Program, arguments: list[str], message: str
) -> None:
    ended = program("copy", *arguments)
    assert ended.code == 2
    assert message in ended.err
