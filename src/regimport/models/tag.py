"""Tags, and the names of images in a layout."""

from __future__ import annotations

import re

from regimport.errors import InvalidReference
from regimport.redact import without_user

__all__ = ["invalid_tag", "is_layout_name", "is_tag"]

# The grammar of distribution/reference (reference.go, its opening comment).
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
# OCI image specification, annotations.md, org.opencontainers.image.ref.name.
_LAYOUT_NAME = re.compile(r"[A-Za-z0-9]+(?:(?:[-._:@+/]|--)[A-Za-z0-9]+)*")


def is_tag(text: str) -> bool:
    """Return whether a text is a valid tag (distribution specification, "Pulling manifests")."""
    return _TAG.fullmatch(text) is not None


def is_layout_name(text: str) -> bool:
    """Return whether a layout may list an image under this name: a tag, `app:1`, `r.example/a`."""
    return _LAYOUT_NAME.fullmatch(text) is not None or is_tag(text)


def invalid_tag(tag: str, text: str | None) -> InvalidReference:
    """Return the error for a tag that is not valid, in the reference `text`."""
    if text is not None and not tag:
        return InvalidReference(
            f"{without_user(text)[:160]!r} ends in ':' without a tag",
            hint="add a tag, or leave out the colon",
        )
    where = "" if text is None else f" in {without_user(text)[:160]!r}"
    return InvalidReference(
        f"invalid tag {tag[:160]!r}{where}",
        hint="a tag has up to 128 letters, digits, '_', '.' and '-', and no '.' or '-' first",
    )
