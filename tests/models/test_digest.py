import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regimport.errors import ContentMismatch, InvalidReference
from regimport.models.digest import Digest, Verifier

_EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("text", [_EMPTY, "sha256:" + "0" * 64, "sha512:" + "f" * 128])
def test_a_digest_of_a_registered_algorithm_is_its_own_text(text: str) -> None:
    digest = Digest(text)
    assert digest == text
    assert f"{digest.algorithm}:{digest.encoded}" == text
    assert Digest(digest) is digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 65,
        "sha256:" + "A" * 64,
        "SHA256:" + "a" * 64,
        "sha256:" + "g" * 64,
        "sha512:" + "a" * 64,
        "md5:" + "a" * 32,
        "sha256+b64:" + "a" * 64,
        "sha256:" + "a" * 64 + "\n",
        " sha256:" + "a" * 64,
        "sha256:../../" + "a" * 58,
        "sha256:" + "１" * 64,  # noqa: RUF001 - wide digits, on purpose
    ],
)
def test_any_other_text_is_no_digest(text: str) -> None:
    with pytest.raises(InvalidReference):
        Digest(text)


@given(st.binary())
def test_the_digest_of_content_is_its_hash(content: bytes) -> None:
    assert Digest.of(content) == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert Digest.of(content, "sha512").encoded == hashlib.sha512(content).hexdigest()


def test_content_is_not_named_by_an_algorithm_that_is_not_registered() -> None:
    with pytest.raises(InvalidReference):
        Digest.of(b"", "md5")


@given(st.lists(st.binary(max_size=50)), st.sampled_from(["sha256", "sha512"]))
def test_content_that_is_whole_passes_in_any_pieces(pieces: list[bytes], algorithm: str) -> None:
    content = b"".join(pieces)
    verifier = Verifier(Digest.of(content, algorithm), len(content))
    for piece in pieces:
        verifier.update(memoryview(piece))
    assert verifier.complete
    verifier.check()


@given(st.binary(min_size=1), st.data())
def test_content_that_changed_in_one_bit_is_a_mismatch(content: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(content) * 8 - 1))
    changed = bytearray(content)
    changed[position // 8] ^= 1 << position % 8
    verifier = Verifier(Digest.of(content), len(content))
    verifier.update(bytes(changed))
    with pytest.raises(ContentMismatch) as caught:
        verifier.check()
    assert caught.value.expected == Digest.of(content)
    assert caught.value.got == Digest.of(bytes(changed))


def test_content_that_ends_early_is_a_mismatch() -> None:
    verifier = Verifier(Digest.of(b"abc"), 3)
    verifier.update(b"ab")
    assert not verifier.complete
    with pytest.raises(ContentMismatch, match="2 of 3"):
        verifier.check()


def test_content_that_is_too_long_is_a_mismatch_at_once() -> None:
    verifier = Verifier(Digest.of(b"abc"), 2)
    with pytest.raises(ContentMismatch, match="longer"):
        verifier.update(b"abc")


def test_nothing_is_content_too() -> None:
    Verifier(Digest(_EMPTY), 0).check()
