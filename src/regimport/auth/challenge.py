"""WWW-Authenticate: what a registry asks for, read by the list grammar of RFC 9110, leniently."""

from __future__ import annotations

import re
from collections.abc import Mapping

from regimport.models.mapping import FrozenMapping
from regimport.values import dataclass, field

__all__ = ["Challenge", "parse_challenges"]

_SEPARATORS = re.compile(r"[\s,]*")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PARAMETER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*")
_TOKEN68 = re.compile(r"([A-Za-z0-9._~+/-]+=*)[ \t]*(?=,|$)")
# A quoted string, or a value without quotes; real registries send whole URLs that way.
_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"|((?!")[^\s,;"]*)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge (RFC 9110, section 11.3); scheme and parameter names in lower case."""

    scheme: str
    params: Mapping[str, str] = field(default_factory=FrozenMapping)
    token68: str | None = None


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Read a WWW-Authenticate value, or several joined by commas; never raise.

    Where a part cannot be read, its challenge ends, and nothing after it is read.
    """
    found: list[Challenge] = []
    position = _skip(header, 0)
    while position < len(header):
        scheme = _TOKEN.match(header, position)
        if scheme is None:
            break
        challenge, position = _challenge(header, scheme)
        found.append(challenge)
        position = _skip(header, position)
    return tuple(found)


def _skip(header: str, position: int) -> int:
    match = _SEPARATORS.match(header, position)
    return match.end() if match else position


def _challenge(header: str, scheme: re.Match[str]) -> tuple[Challenge, int]:
    """Read the challenge of `scheme`; return it, and where the next one may begin."""
    name = scheme[0].lower()
    position = _skip(header, scheme.end())
    if position == scheme.end() and position < len(header):
        return Challenge(name), len(header)
    if "," not in header[scheme.end() : position]:
        token68 = _TOKEN68.match(header, position)
        if token68 is not None:
            return Challenge(name, token68=token68[1]), token68.end()
    params: dict[str, str] = {}
    while (parameter := _PARAMETER.match(header, position)) is not None:
        value = _VALUE.match(header, parameter.end())
        key = parameter[1].lower()
        if value is None or key in params:
            return Challenge(name, FrozenMapping(params)), len(header)
        quoted, bare = value.groups()
        params[key] = bare if quoted is None else re.sub(r"(?s)\\(.)", r"\1", quoted)
        position = _skip(header, value.end())
        if position == value.end() and position < len(header):
            return Challenge(name, FrozenMapping(params)), len(header)
    return Challenge(name, FrozenMapping(params)), position
