from __future__ import annotations

import pytest

from regimport.server.ranges import Unsatisfiable, chunk_range, wanted_range


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None),
        ("", None),
        ("bytes=0-0", (0, 1)),
        ("bytes=0-", (0, 10)),
        ("bytes=3-5", (3, 6)),
        ("Bytes = 3 - 5", (3, 6)),
        ("bytes=3-500", (3, 10)),
        ("bytes=-4", (6, 10)),
        ("bytes=-400", (0, 10)),
        ("bytes=-", None),
        ("bytes=1-2,4-5", None),
        ("lines=1-2", None),
        ("bytes=a-b", None),
        ("bytes=1-2-3", None),
    ],
)
def test_a_range_is_cut_to_the_content(header: str | None, part: tuple[int, int] | None) -> None:
    assert wanted_range(header, 10) == part


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=5-4"])
def test_a_range_without_a_byte_is_not_satisfiable(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        wanted_range(header, 10)


@pytest.mark.parametrize(
    ("header", "chunk"),
    [
        ("0-9", (0, 10)),
        ("5-5", (5, 1)),
        ("bytes 0-9/10", (0, 10)),
        ("bytes 0-9/*", (0, 10)),
        ("bytes=0-9", (0, 10)),
        ("9-0", None),
        ("0-", None),
        ("-9", None),
        ("", None),
        ("0-9x", None),
    ],
)
def test_a_content_range_is_read_with_and_without_unit(
    header: str, chunk: tuple[int, int] | None
) -> None:
    assert chunk_range(header) == chunk
