"""Makes what comes from the network, or goes there, safe to show; the only place that does.

Secrets hide in URLs and headers; text that a server chose can hold terminal escapes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

__all__ = ["safe_headers", "safe_text", "safe_url"]

_HIDDEN = "…"
_SHOWN_QUERY = frozenset(
    {"artifacttype", "digest", "from", "last", "mount", "n", "scope", "service", "tag"}
)
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
# What a terminal obeys (ECMA-48): control sequences, and strings such as a title to set.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[PX\]^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)


def safe_url(url: str) -> str:
    """Give a URL without user and password, and without what its query may keep secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return _HIDDEN
    host = parts.netloc.rpartition("@")[2]
    fragment = _HIDDEN if parts.fragment else ""
    shown = parts._replace(netloc=host, query=_safe_query(parts.query), fragment=fragment)
    return safe_text(urlunsplit(shown), 1000)


def safe_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Give headers with the values hidden of all that are not known to be harmless."""
    return {
        name: safe_text(value) if name.lower() in _SHOWN_HEADERS else _HIDDEN
        for name, value in headers.items()
    }


def safe_text(text: str, limit: int = 300) -> str:
    """Give a server's text with nothing in it that a terminal or a log would act on.

    At most `limit` characters of it.
    """
    plain = "".join(
        character if character.isprintable() else " " for character in _ESCAPES.sub(" ", text)
    ).strip()
    return plain if len(plain) <= limit else plain[: limit - 1] + _HIDDEN


def _safe_query(query: str) -> str:
    shown = []
    # Some servers end a field with ';' too; what they keep secret behind it stays hidden.
    for field in re.split("[&;]", query) if query else ():
        name, equals, value = field.partition("=")
        shown.append(
            f"{name}={value if name.lower() in _SHOWN_QUERY else _HIDDEN}" if equals else _HIDDEN
        )
    return "&".join(shown)
