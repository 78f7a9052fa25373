"""Which tags of a repository are wanted, and in which order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Literal

from regimport.errors import InvalidOptions
from regimport.values import dataclass

__all__ = ["TagFilter", "TagOrder", "sort_tags", "version_of"]

TagOrder = Literal["name", "version"]

_GLOB = re.compile(r"[A-Za-z0-9_.*?\[\]!^-]+")
_VERSION = re.compile(r"v?(\d+(?:\.\d+)*)(.*)")
_PARTS = re.compile(r"(\d+)")
# What comes before the version that it is a version of (Semantic Versioning, section 11; PEP 440).
_PRERELEASE = re.compile(r"[-._]?(?:alpha|beta|canary|dev|nightly|pre|preview|rc|snapshot|[abc]\d)")


@dataclass(frozen=True, slots=True)
class TagFilter:
    """Tags that match a pattern of `match` (all, if there is none) and none of `exclude`.

    Patterns are globs: `*` is any text, `?` a character, `[abc]` one of several. A pattern that no
    tag could match raises `InvalidOptions`.
    """

    match: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for pattern in (*self.match, *self.exclude):
            if not _GLOB.fullmatch(pattern):
                raise InvalidOptions(
                    f"no tag can match the pattern {pattern!r}",
                    hint="a pattern is a tag in which * is any text and ? any character: 'v1.*'",
                )

    def takes(self, tag: str) -> bool:
        """Whether a tag is wanted."""
        wanted = not self.match or any(fnmatchcase(tag, pattern) for pattern in self.match)
        return wanted and not any(fnmatchcase(tag, pattern) for pattern in self.exclude)

    def select(self, tags: Iterable[str]) -> list[str]:
        """Return the wanted tags, in the order given."""
        return [tag for tag in tags if self.takes(tag)]


def version_of(tag: str) -> tuple[object, ...] | None:
    """Return what orders tags by version, None for one that does not begin with a version.

    Numbers count as numbers, so `1.10` follows `1.9`; a prerelease precedes its release, and a
    variant (`-slim`) follows it.
    """
    found = _VERSION.fullmatch(tag)
    if found is None:
        return None
    numbers = tuple(int(part) for part in found[1].split("."))
    suffix = found[2].lower()
    rank = 1 if not suffix else 0 if _PRERELEASE.match(suffix) else 2
    words = tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part)
        for part in _PARTS.split(suffix)
        if part
    )
    return numbers, rank, words, tag


def sort_tags(
    tags: Iterable[str], order: TagOrder | None = None, newest: int | None = None
) -> Sequence[str]:
    """Return the tags in an order, or as they come; `newest` keeps the highest versions alone.

    By version, the lowest comes first, and what is no version before that, by name.
    """
    if newest is not None:
        versions = {tag: version for tag in tags if (version := version_of(tag)) is not None}
        kept = sorted(versions, key=versions.__getitem__)[-newest:]
        return sorted(kept) if order == "name" else kept
    if order == "version":
        return sorted(tags, key=lambda tag: (version_of(tag) or (), tag))
    return sorted(tags) if order == "name" else list(tags)
