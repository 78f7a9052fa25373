"""Where a listing goes on: the `Link` field of its pages (RFC 8288)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from regimport.errors import RegistryError
from regimport.redact import safe_text, safe_url

__all__ = ["next_page"]

# The longest Link that is read, in characters: web servers take no longer request line than this.
_MOST_CHARACTERS = 8 * 1024
# A target stands in angle brackets. Some registries leave them out, which is read where it cannot
# be anything but a URL.
_TARGET = re.compile(r"[\s,]*(?:<([^<>]*)>|((?:https?:/|[/?])[^\s<>;,\"']*))")
_PARAMETER = re.compile(
    r"\s*;\s*([A-Za-z0-9*_-]*)\s*"
    r"(?:=\s*(?:\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|([^\s;,\"]*)))?"
)


def next_page(answered: str, link: str, base: str) -> str | None:
    """Return the absolute URL of the next page that a `Link` value names; None at the end.

    It has the path and the query of the link, and the origin of `base`, the registry's own: behind
    a proxy, a registry may name itself by an internal host, or another port or scheme. Raise
    `RegistryError` for a value that cannot be understood, since the list would be taken for whole.
    """
    if len(link) > _MOST_CHARACTERS:
        raise _unclear(link, f"it has {len(link)} characters")
    target = _next_target(link)
    if target is None:
        return None
    own, there = urlsplit(base), _split(answered, target)
    if there.scheme not in {"http", "https"}:
        raise _unclear(link, "it leads to no http or https URL")
    return urlunsplit((own.scheme, own.netloc, there.path, there.query, ""))


def _next_target(link: str) -> str | None:
    """Return the target of the relation `next`, or of the only link that names no relation."""
    links, rest = _links(link)
    for target, relation in links:
        if relation is not None and "next" in relation.lower().split():
            return target
    unnamed = [target for target, relation in links if not relation]
    if len(unnamed) == 1 and not rest:
        return unnamed[0]
    if unnamed or rest:
        raise _unclear(link, "it does not say which link is the next page")
    return None


def _links(header: str) -> tuple[list[tuple[str, str | None]], str]:
    """Return the target and the relations of each link, and what could not be read."""
    links: list[tuple[str, str | None]] = []
    position = 0
    while (found := _TARGET.match(header, position)) is not None:
        position = found.end()
        relation: str | None = None
        for parameter in _parameters(header, position):
            position = parameter.end()
            # Of several `rel`, the first counts (RFC 8288, section 3.3).
            if parameter[1].lower() == "rel" and relation is None:
                relation = parameter[2] or parameter[3] or parameter[4] or ""
        links.append(((found[1] or found[2] or "").strip(), relation))
    return links, header[position:].strip(", \t")


def _parameters(header: str, position: int) -> Iterator[re.Match[str]]:
    while (parameter := _PARAMETER.match(header, position)) is not None:
        yield parameter
        position = parameter.end()


def _split(answered: str, target: str) -> SplitResult:
    try:
        parts = urlsplit(urljoin(answered, target))
    except ValueError:
        parts = urlsplit("")
    if not parts.geturl().isprintable():
        raise RegistryError(f"a registry sent a URL that cannot be used: {safe_url(target)}")
    return parts


def _unclear(link: str, reason: str) -> RegistryError:
    return RegistryError(
        f"where the list goes on cannot be read from Link: {safe_text(link, 100)}: {reason}",
        hint="the list would not be whole; ask who runs the registry, or a proxy in front of it",
    )
