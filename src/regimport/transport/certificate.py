"""What a certificate says of itself, for messages about one that is not trusted.

The standard library shows a certificate only if it trusts it. Nothing is decided by what is read
here. The form is that of RFC 5280, section 4.1, in DER.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from regimport.redact import safe_text

__all__ = ["Certificate", "read_certificate"]

_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
_COMMON_NAME, _ORGANIZATION = bytes.fromhex("550403"), bytes.fromhex("55040a")
_SUBJECT_ALT_NAME = bytes.fromhex("551d11")
# The tag of a string that has two bytes a character; all others are read as UTF-8.
_BMP_STRING = 0x1E
_MOST_NAMES = 8


@dataclass(frozen=True, slots=True)
class Certificate:
    """Whom a certificate is for, who signed it, and until when it is good."""

    subject: str
    issuer: str
    not_before: dt.datetime
    not_after: dt.datetime
    names: tuple[str, ...]


def read_certificate(der: bytes) -> Certificate | None:
    """Read a certificate in DER; None if it is none."""
    try:
        ((_, whole),) = _items(der)
        (_, body), *_ = _items(whole)
        fields = [item for item in _items(body) if item[0] != _VERSION]
        (_, _serial), (_, _algorithm), (_, issuer), (_, validity), (_, subject), *rest = fields
        start, end = (_time(*item) for item in _items(validity))
        names = tuple(_names(rest))
        return Certificate(_name(subject), _name(issuer), start, end, names)
    except (ValueError, LookupError, OverflowError):
        return None


def _items(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the tag and the content of each item (X.690, section 8.1)."""
    position = 0
    while position < len(content):
        tag, size = content[position], content[position + 1]
        position += 2
        if size > 0x80:
            count = size & 0x7F
            size = int.from_bytes(content[position : position + count], "big")
            position += count
        if position + size > len(content):
            raise ValueError("an item is longer than what is around it")
        yield tag, content[position : position + size]
        position += size


def _name(content: bytes) -> str:
    """Give a name as its common name and its organization, as far as it has them."""
    found: dict[bytes, str] = {}
    for _, attributes in _items(content):
        for _, attribute in _items(attributes):
            (_, kind), (tag, value) = _items(attribute)
            coding = "utf-16-be" if tag == _BMP_STRING else "utf-8"
            found.setdefault(kind, safe_text(value.decode(coding, "replace"), 100))
    parts = [found[kind] for kind in (_COMMON_NAME, _ORGANIZATION) if found.get(kind)]
    return ", ".join(parts) or "nobody"


def _time(tag: int, content: bytes) -> dt.datetime:
    form = {_UTC_TIME: "%y%m%d%H%M%SZ", _GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}[tag]
    return dt.datetime.strptime(content.decode("ascii"), form).replace(tzinfo=dt.UTC)


def _names(fields: list[tuple[int, bytes]]) -> Iterator[str]:
    """Give the hosts that a certificate is for (section 4.2.1.6)."""
    for tag, wrapped in fields:
        if tag != _EXTENSIONS:
            continue
        ((_, extensions),) = _items(wrapped)
        for _, extension in _items(extensions):
            (_, kind), *_, (_, value) = _items(extension)
            if kind != _SUBJECT_ALT_NAME:
                continue
            ((_, names),) = _items(value)
            for kind_of_name, name in list(_items(names))[:_MOST_NAMES]:
                if kind_of_name == _DNS_NAME:
                    yield safe_text(name.decode("ascii", "replace"), 100)
                elif kind_of_name == _IP_ADDRESS:
                    yield str(ipaddress.ip_address(name))
