"""Blobs that come encoded, though nobody asked for that."""

from __future__ import annotations

import gzip
from dataclasses import replace

import httpx
import pytest

from regimport.errors import BrokenTransfer, ContentMismatch, RegistryError
from regimport.models.descriptor import UNKNOWN_SIZE, Descriptor
from regimport.models.digest import Digest
from regimport.registry.blobs import is_encoded
from regimport.registry.codings import decoded
from regimport.transport.answers import Answer

CONTENT = b"".join(number.to_bytes(4, "big") for number in range(100_000))
BLOB = Descriptor("application/octet-stream", Digest.of(CONTENT), len(CONTENT))


def _head(coding: str | None, length: int | None) -> Answer:
    fields = {"Content-Encoding": coding, "Content-Length": None if length is None else str(length)}
    given = [(name, value) for name, value in fields.items() if value is not None]
    return Answer("GET", "https://r.example/v2/a/blobs/x", 200, httpx.Headers(given))


@pytest.mark.parametrize(
    ("coding", "length", "encoded"),
    [
        (None, None, False),
        ("identity", None, False),
        ("", None, False),
        ("deflate", None, True),
        ("gzip", None, True),
        ("GZIP", len(CONTENT) - 1, True),
        # As long as the blob itself: storage that labels what is gzip already.
        ("gzip", len(CONTENT), False),
    ],
)
def test_a_body_is_encoded_if_it_says_so_and_is_not_as_long_as_the_blob(
    coding: str | None, length: int | None, encoded: bool
) -> None:
    assert is_encoded(_head(coding, length), BLOB) is encoded


@pytest.mark.parametrize("size", [1, 1000, 10**9])
def test_gzip_is_undone_whatever_pieces_it_comes_in(size: int) -> None:
    packed = gzip.compress(CONTENT)
    pieces = (packed[at : at + size] for at in range(0, len(packed), size))
    assert b"".join(decoded(_head("gzip", None), BLOB, pieces, _never)) == CONTENT


@pytest.mark.parametrize("content", [CONTENT + b"x", CONTENT[:-1], bytes(len(CONTENT))])
def test_another_content_than_the_blob_is_told_before_it_is_raised(content: bytes) -> None:
    told: list[str] = []
    packed = iter([gzip.compress(content)])
    with pytest.raises(ContentMismatch) as raised:
        list(decoded(_head("gzip", None), BLOB, packed, lambda: told.append("mismatch")))
    assert told == ["mismatch"]
    assert not raised.value.lasting


def test_a_blob_of_unknown_size_is_decoded() -> None:
    blob = replace(BLOB, size=UNKNOWN_SIZE)
    packed = iter([gzip.compress(CONTENT)])
    assert b"".join(decoded(_head("gzip", None), blob, packed, _never)) == CONTENT


def test_what_is_no_gzip_may_come_right_the_next_time() -> None:
    told: list[str] = []
    with pytest.raises(BrokenTransfer, match="is not valid gzip"):
        list(decoded(_head("gzip", None), BLOB, iter([CONTENT]), lambda: told.append("raw")))
    assert told == ["raw"]


def test_what_breaks_half_way_is_decoded_again() -> None:
    packed = gzip.compress(CONTENT)
    with pytest.raises(BrokenTransfer, match="is not valid gzip: it ends too soon"):
        list(decoded(_head("gzip", None), BLOB, iter([packed[:-9]]), _never))


def test_another_coding_is_refused_by_its_name() -> None:
    with pytest.raises(RegistryError, match="Content-Encoding br"):
        list(decoded(_head("br", None), BLOB, iter([CONTENT]), _never))


def _never() -> None:
    raise AssertionError("the blob would be taken as it came")
