"""WWW-Authenticate: what a registry asks for, read by the list grammar of RFC 9110, leniently."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["Challenge", "parse_challenges"]

_SEPARATORS = re.compile(r"[\s,]*")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PARAMETER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*")
_TOKEN68 = re.compile(r"([A-Za-z0-9._~+/-]+=*)[ \t]*(?=,|$)")
# A value without quotes; real registries put whole URLs there.
_BARE = re.compile(r"[^\s,;\"]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge (RFC 9110, section 11.3); scheme and parameter names in lower case.

    `malformed` tells that a part of it could not be read and was left out.
    """

    scheme: str
    params: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    token68: str | None = None
    malformed: bool = False


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Read a WWW-Authenticate value, or several joined by commas; never raises.

    What cannot be read ends the challenge it stands in.
    """
    found: list[Challenge] = []
    position = _skip(header, 0)
    while position < len(header):
        scheme = _TOKEN.match(header, position)
        if scheme is None:
            break
        challenge, position = _challenge(header, scheme)
        found.append(challenge)
        if challenge.malformed:
            break
        position = _skip(header, position)
    return tuple(found)


def _skip(header: str, position: int) -> int:
    match = _SEPARATORS.match(header, position)
    return match.end() if match else position


def _challenge(header: str, scheme: re.Match[str]) -> tuple[Challenge, int]:
    name = scheme[0].lower()
    position = _skip(header, scheme.end())
    if position == scheme.end() and position < len(header):
        return Challenge(name, malformed=True), len(header)
    if "," not in header[scheme.end() : position]:
        token68 = _TOKEN68.match(header, position)
        if token68 is not None:
            return Challenge(name, token68=token68[1]), token68.end()
    params: dict[str, str] = {}
    malformed = False
    while (parameter := _PARAMETER.match(header, position)) is not None:
        value, end = _value(header, parameter.end())
        key = parameter[1].lower()
        if value is None or key in params:
            malformed = True
            break
        params[key] = value
        position = end
        following = _skip(header, position)
        if following == position and position < len(header):
            malformed = True
            break
        position = following
    return Challenge(name, MappingProxyType(params), malformed=malformed), position


def _value(header: str, position: int) -> tuple[str | None, int]:
    if header[position : position + 1] == '"':
        quoted = _QUOTED.match(header, position)
        if quoted is None:
            return None, len(header)
        return re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL), quoted.end()
    bare = _BARE.match(header, position)
    assert bare is not None
    return bare[0], bare.end()
