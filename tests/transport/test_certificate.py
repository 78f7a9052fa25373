"""Reading certificates for messages: what other software reads there too, and never an error."""

from __future__ import annotations

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from regimport.transport.certificate import read_certificate


def _der(issued: trustme.LeafCert) -> bytes:
    pem = issued.cert_chain_pems[0].bytes()
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


_LEAF = trustme.CA(organization_name="Authority").issue_cert(
    "registry.example", "*.registry.example", "192.0.2.1", "2001:db8::1", common_name="Registry"
)
_DER = _der(_LEAF)


def test_a_certificate_is_read_as_by_others() -> None:
    theirs = x509.load_der_x509_certificate(_DER)
    ours = read_certificate(_DER)
    assert ours is not None
    assert ours.subject.startswith("Registry, ")
    assert ours.issuer == "Authority"
    assert ours.not_after == theirs.not_valid_after_utc
    assert ours.not_before == theirs.not_valid_before_utc
    assert ours.names == ("registry.example", "*.registry.example", "192.0.2.1", "2001:db8::1")


def test_an_authority_has_no_hosts() -> None:
    pem = trustme.CA(organization_name="Top").cert_pem.bytes()
    read = read_certificate(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER))
    assert read is not None
    assert (read.subject, read.issuer, read.names) == ("Top", "Top", ())


def test_nothing_that_a_terminal_obeys_is_left_of_a_name() -> None:
    hostile = trustme.CA().issue_cert("a.example", organization_name="\x1b[31mred\x07")
    read = read_certificate(_der(hostile))
    assert read is not None
    assert read.subject == "red"


@pytest.mark.parametrize("content", [b"", b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x30\x00", b"x"])
def test_what_is_no_certificate_is_none(content: bytes) -> None:
    assert read_certificate(content) is None


@given(st.binary(max_size=200))
def test_no_bytes_are_an_error(content: bytes) -> None:
    assert read_certificate(content) is None


@given(st.integers(0, len(_DER) - 1), st.integers(0, 255))
def test_no_spoiled_certificate_is_an_error(position: int, value: int) -> None:
    read_certificate(_DER[:position] + bytes([value]) + _DER[position + 1 :])


@given(st.integers(0, len(_DER)))
def test_no_part_of_a_certificate_is_an_error(size: int) -> None:
    read_certificate(_DER[:size])
