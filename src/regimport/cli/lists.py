"""Lists of images: a source and a target a line, or a source alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from regimport.errors import InvalidOptions, InvalidReference
from regimport.models.reference import parse_end, target_of, with_default_tag

__all__ = ["parse_list", "read_list"]

_STDIN = "-"
# So many lines that are wrong are named.
_NAMED_LINES = 10


def read_list(name: str, prefix: str | None) -> list[tuple[str, str]]:
    """Read the pairs of a list in a file, or in standard input for `-`.

    Raise `InvalidOptions`, also for a file that cannot be read; it names the lines that are wrong.
    """
    try:
        raw = sys.stdin.buffer.read() if name == _STDIN else Path(name).read_bytes()
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise InvalidOptions(f"{name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidOptions(f"{name} is not text in UTF-8") from error
    return parse_list(text, "standard input" if name == _STDIN else name, prefix)


def parse_list(text: str, name: str, prefix: str | None) -> list[tuple[str, str]]:
    """Return the pairs of a list; `name` is what messages call it, `prefix` where all images go.

    `#` starts a comment at the start of a line or after a space. With a prefix, a line has a
    source alone, and its target is the source's repository under the prefix.
    """
    pairs: list[tuple[str, str]] = []
    wrong: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = list(_words(line))
        if not words:
            continue
        try:
            pairs.append(_pair(words, prefix))
        except (InvalidOptions, InvalidReference) as error:
            wrong.append(f"{name}:{number}: {error.message}")
    if wrong:
        more = [f"and {len(wrong) - _NAMED_LINES} more"] if len(wrong) > _NAMED_LINES else []
        raise InvalidOptions(
            "\n  ".join([*wrong[:_NAMED_LINES], *more]),
            hint="nothing was copied; a line has a source and a target"
            if prefix is None
            else "nothing was copied; a line has a source",
        )
    if not pairs:
        raise InvalidOptions(f"{name} names no image")
    return pairs


def _words(line: str) -> Iterator[str]:
    for word in line.split():
        if word.startswith("#"):
            return
        yield word


def _pair(words: list[str], prefix: str | None) -> tuple[str, str]:
    """Return the source and the target of a line; raise an error if it has anything else."""
    for word in words:
        if word.startswith("-"):
            raise InvalidOptions(f"{word[:160]!r} is no image; a list has no options")
    if len(words) > 2:
        raise InvalidOptions(f"the line has {len(words)} words")
    if prefix is None and len(words) == 1:
        raise InvalidOptions(f"{words[0][:160]!r} has no target, and --target names none for all")
    if prefix is not None and len(words) == 2:
        raise InvalidOptions(f"the target {words[1][:160]!r} stands beside the one of --target")
    source = words[0]
    target = words[1] if prefix is None else f"{prefix.rstrip('/')}/"
    target_of(target, with_default_tag(parse_end(source)))
    return source, target
