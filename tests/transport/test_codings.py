"""Content codings that nobody asked for: undone, and never for longer than they bring content."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from itertools import repeat

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regimport.errors import InvalidManifest, RegistryError
from regimport.transport.answers import read_answer
from regimport.transport.codings import UnknownCoding, decode
from regimport.transport.heads import coding_of

_URL = "https://r.example/v2/app/manifests/v1"
_TEXT = b"".join(b"line %d\n" % number for number in range(100_000))


def _raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


_FORMS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "capitals": ("GZip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", _raw_deflate),
    "two members": ("gzip", lambda c: gzip.compress(c[:5]) + gzip.compress(c[5:])),
    "padding": ("gzip", lambda c: gzip.compress(c) + bytes(100)),
    "identity too": ("identity, gzip", gzip.compress),
}


@pytest.mark.parametrize("size", [1, 1000, 10**9])
@pytest.mark.parametrize("form", _FORMS)
def test_a_coding_is_undone_whatever_pieces_it_comes_in(form: str, size: int) -> None:
    name, pack = _FORMS[form]
    content = _TEXT if size > 1 else _TEXT[:2000]
    packed = pack(content)
    pieces = (memoryview(packed)[at : at + size] for at in range(0, len(packed), size))
    coding = coding_of({"content-encoding": name})
    assert b"".join(decode(coding, (bytes(piece) for piece in pieces))) == content


@given(st.binary(max_size=2000), st.sampled_from(sorted(_FORMS)), st.integers(1, 50))
def test_no_content_is_changed(content: bytes, form: str, size: int) -> None:
    name, pack = _FORMS[form]
    packed = pack(content)
    pieces = [packed[at : at + size] for at in range(0, len(packed), size)]
    assert b"".join(decode(coding_of({"content-encoding": name}), pieces)) == content


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_no_bytes_are_no_bytes_in_any_coding(coding: str) -> None:
    assert list(decode(coding, [])) == []
    assert list(decode(coding, [b"", b""])) == []


def test_a_bomb_is_undone_a_piece_at_a_time() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    pieces = decode("gzip", [bomb])
    assert len(next(pieces)) <= 256 * 1024
    assert sum(map(len, pieces)) == 50_000_000 - 256 * 1024


_EMPTY_BLOCK = b"\0\0\0\xff\xff"
_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_ENDLESS = {
    "empty blocks": (_HEAD, _EMPTY_BLOCK * 1000),
    "empty members": (b"", gzip.compress(b"")),
    "padding": (gzip.compress(b"a"), bytes(1000)),
    "a name": (_HEAD[:3] + b"\x08" + _HEAD[4:], b"a" * 1000),
    "bytes behind its end": (gzip.compress(b"a"), b"a" * 1000),
}


@pytest.mark.parametrize("kind", _ENDLESS)
def test_what_stands_for_nothing_is_read_up_to_a_bound(kind: str) -> None:
    start, more = _ENDLESS[kind]
    read = 0

    def pieces() -> Iterator[bytes]:
        nonlocal read
        yield start
        for piece in repeat(more):
            read += len(piece)
            yield piece

    with pytest.raises(zlib.error):
        list(decode("gzip", pieces()))
    assert read < 200_000


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress"])
def test_a_coding_that_is_not_known_is_named(coding: str) -> None:
    with pytest.raises(UnknownCoding, match=coding):
        list(decode(coding, [b"x"]))


def _response(status: int, body: bytes, coding: str = "gzip") -> httpx.Response:
    stream = httpx.ByteStream(body)
    return httpx.Response(status, headers={"Content-Encoding": coding}, stream=stream)


def test_an_answer_is_read_without_its_coding() -> None:
    answer = read_answer("GET", _URL, _response(200, gzip.compress(b'{"a":1}')), 10)
    assert answer.body == b'{"a":1}'


def test_the_limit_of_an_answer_is_that_of_its_content() -> None:
    with pytest.raises(InvalidManifest, match="longer than 1000 bytes"):
        read_answer("GET", _URL, _response(200, gzip.compress(bytes(10**8))), 1000)


def test_an_answer_that_is_not_what_it_is_called_may_come_right_the_next_time() -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="not valid gzip"):
        read_answer("GET", _URL, _response(200, b"words"), 1000)
    with pytest.raises(httpx.RemoteProtocolError, match="it ends too soon"):
        read_answer("GET", _URL, _response(200, gzip.compress(b"words")[:-1]), 1000)


def test_an_answer_in_a_coding_that_is_not_known_is_an_error() -> None:
    with pytest.raises(RegistryError, match="Content-Encoding br, which was not asked for"):
        read_answer("GET", _URL, _response(200, b"words", "br"), 1000)


def test_of_an_error_what_can_be_decoded_is_kept() -> None:
    assert read_answer("GET", _URL, _response(404, gzip.compress(b"words")), 9).body == b"words"
    assert read_answer("GET", _URL, _response(404, b"words"), 9).body == b""
    assert read_answer("GET", _URL, _response(404, b"words", "br"), 9).body == b""
