"""Make URLs, headers and texts from the network safe to show; done nowhere else.

URLs and headers can contain secrets. A server's text can contain terminal escapes, and whatever the
server was sent: some gateways repeat a request's headers in an error.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from regimport.secrets_sent import SENT, SHOWN_QUERY

__all__ = ["printable", "reason_of", "safe_headers", "safe_text", "safe_url", "without_user"]

_HIDDEN = "…"
_SHOWN_HEADERS = frozenset(
    {
        "accept",
        "content-length",
        "content-range",
        "content-type",
        "date",
        "docker-content-digest",
        "host",
        "oci-subject",
        "range",
        "retry-after",
        "server",
        "user-agent",
    }
)
# Terminal escapes (ECMA-48): control sequences, and strings such as a window title.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[PX\]^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)


# A user name with a password before a host, which is no digest: `ci:secret@registry.example`.
_USER = re.compile(r"^((?:[A-Za-z][A-Za-z0-9+.-]*://)?)[^/@:]*:[^/@]*@(?!sha(?:256|512):)")
_USER_IN_URL = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://).*@(?!sha(?:256|512):)", re.DOTALL)


def safe_url(url: str) -> str:
    """Return a URL without user and password, and without query values that may be secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return _HIDDEN
    host = parts.netloc.rpartition("@")[2]
    fragment = _HIDDEN if parts.fragment else ""
    shown = parts._replace(netloc=host, query=_safe_query(parts.query), fragment=fragment)
    return printable(SENT.removed_from(urlunsplit(shown), words=False), 1000)


def safe_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers, with every value hidden that is not known to be harmless."""
    return {
        name: safe_text(value) if name.lower() in _SHOWN_HEADERS else _HIDDEN
        for name, value in headers.items()
    }


def safe_text(text: str, limit: int = 300) -> str:
    """Return a text of somebody else as `printable` does, and without any secret that was sent."""
    # Before anything is cut off, or the first half of a secret could be left.
    return printable(SENT.removed_from(printable(SENT.removed_from(text), len(text))), limit)


def without_user(text: str) -> str:
    """Return what a user typed as a reference or a registry, without a user name and a password."""
    return _USER.sub(rf"\1{_HIDDEN}@", _USER_IN_URL.sub(rf"\1{_HIDDEN}@", text))


def printable(text: str, limit: int) -> str:
    """Return at most `limit` characters of a text, without terminal escapes and line breaks."""
    plain = "".join(
        character if character.isprintable() else " " for character in _ESCAPES.sub(" ", text)
    ).strip()
    return plain if len(plain) <= limit else plain[: limit - 1] + _HIDDEN


def reason_of(error: OSError) -> str:
    """Return why an operation failed, in the system's words, without its number and file name."""
    if error.errno == errno.ENOSPC:
        return "the disk is full"
    return safe_text(error.strerror or str(error)) or type(error).__name__


def _safe_query(query: str) -> str:
    shown = []
    # Some servers separate fields with ';' too; a secret after it must stay hidden.
    for field in re.split("[&;]", query) if query else ():
        name, equals, value = field.partition("=")
        value = value.replace("%3A", ":") if name.lower() in SHOWN_QUERY else _HIDDEN
        shown.append(f"{name}={value}" if equals else _HIDDEN)
    return "&".join(shown)
