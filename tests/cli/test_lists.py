"""Lists of images: what a line means, and which are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from regimport.cli.lists import parse_list, read_list
from regimport.errors import InvalidOptions


def test_a_line_has_a_source_and_a_target_and_comments_and_blank_lines_are_skipped() -> None:
    text = "# ours\n\na.example/x:1 b.example/x\r\n  c.example/y\tb.example/y:2  # why\n"
    assert parse_list(text, "list", None) == [
        ("a.example/x:1", "b.example/x"),
        ("c.example/y", "b.example/y:2"),
    ]


@pytest.mark.parametrize("prefix", ["b.example/m", "b.example/m/"])
def test_a_line_has_a_source_alone_where_all_have_one_target(prefix: str) -> None:
    assert parse_list("a.example/x:1", "list", prefix) == [("a.example/x:1", "b.example/m/")]


@pytest.mark.parametrize(
    ("line", "prefix", "message"),
    [
        ("--help", None, "list:2: '--help' is no image"),
        ("a.example/x", None, "list:2: 'a.example/x' has no target"),
        ("a.example/x b.example/x c", None, "list:2: the line has 3 words"),
        ("a.example/x b.example/x", "c.example", "list:2: the target 'b.example/x' stands beside"),
        ("a.example/x: b.example/x", None, "list:2: 'a.example/x:' ends in ':' without a tag"),
        ("a.example/x oci-archive:f", "", "list:2: "),
    ],
)
def test_a_line_that_is_wrong_is_named_and_an_option_is_not_taken_for_one(
    line: str, prefix: str | None, message: str
) -> None:
    first = "a.example/x b.example/x" if prefix is None else "a.example/x"
    with pytest.raises(InvalidOptions) as caught:
        parse_list(f"{first}\n{line}\n", "list", prefix)
    assert message in caught.value.message


def test_a_list_that_cannot_be_read_or_is_empty_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions, match="cannot be read"):
        read_list(str(tmp_path / "none"), None)
    path = tmp_path / "list"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidOptions, match="not text in UTF-8"):
        read_list(str(path), None)
    path.write_text("# nothing\n")
    with pytest.raises(InvalidOptions, match="names no image"):
        read_list(str(path), None)
