"""References to images on disk: in layouts, and in archives."""

from __future__ import annotations

import re
from dataclasses import replace

from regimport.errors import InvalidReference
from regimport.models.digest import Digest
from regimport.models.tag import invalid_tag, is_layout_name
from regimport.values import dataclass

__all__ = [
    "STREAM",
    "ArchiveReference",
    "LayoutReference",
    "is_on_disk",
    "is_standard_stream",
    "parse_on_disk",
]

# The path of an archive that is standard input as a source, and standard output as a target.
STREAM = "-"
_LAYOUTS = ("ocidir://", "oci://", "oci:")
_ARCHIVES = ("oci-archive", "docker-archive")
_PREFIXES = (*_LAYOUTS, *(f"{kind}:" for kind in _ARCHIVES))
_STREAMS = re.compile(r"(?:oci|docker)-archive:-(?:[:@]|$)")
# A text that is meant as a digest, valid or not.
_LIKE_DIGEST = re.compile(r"sha[0-9]+:")


@dataclass(frozen=True, slots=True)
class LayoutReference:
    """An image in an OCI image layout on disk: `oci:path[:tag][@digest]`."""

    path: str
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> LayoutReference:
        """Read the part after `oci:` or `ocidir://`, or raise `InvalidReference`."""
        return cls(*_split(text, "oci", "DIRECTORY"))

    def __str__(self) -> str:
        """Return the form in which it is written on the command line."""
        return _written(self.name, self.tag, self.digest)

    @property
    def name(self) -> str:
        """`oci:path`."""
        return f"oci:{self.path}"

    def tagged(self, tag: str | None) -> LayoutReference:
        """Return the same layout with another tag and no digest."""
        return replace(self, tag=tag, digest=None)

    def pinned(self, digest: Digest) -> LayoutReference:
        """Return the same layout by digest alone."""
        return replace(self, tag=None, digest=digest)


@dataclass(frozen=True, slots=True)
class ArchiveReference:
    """An image in a tar: `oci-archive:path[:tag][@digest]` or `docker-archive:path[:name]`.

    `kind` is the word before the colon. The path `-` is standard input or output.
    """

    kind: str
    path: str
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> ArchiveReference:
        """Read an archive with its kind in front, or raise `InvalidReference`."""
        kind, _, rest = text.partition(":")
        return cls(kind, *_split(rest, kind, "FILE"))

    def __str__(self) -> str:
        """Return the form in which it is written on the command line."""
        return _written(self.name, self.tag, self.digest)

    @property
    def name(self) -> str:
        """`oci-archive:path` or `docker-archive:path`."""
        return f"{self.kind}:{self.path}"

    @property
    def is_stream(self) -> bool:
        """Whether it is standard input or output."""
        return self.path == STREAM

    def tagged(self, tag: str | None) -> ArchiveReference:
        """Return the same archive with another tag and no digest."""
        return replace(self, tag=tag, digest=None)

    def pinned(self, digest: Digest) -> ArchiveReference:
        """Return the same archive by digest alone."""
        return replace(self, tag=None, digest=digest)


def is_on_disk(text: str) -> bool:
    """Return whether a text is meant as a layout or an archive."""
    return text.startswith(_PREFIXES)


def is_standard_stream(text: str) -> bool:
    """Return whether a text is an archive on standard input or output."""
    return _STREAMS.match(text) is not None


def parse_on_disk(text: str) -> LayoutReference | ArchiveReference:
    """Read a layout or an archive with its prefix, or raise `InvalidReference`."""
    for prefix in _LAYOUTS:
        if text.startswith(prefix):
            return LayoutReference.parse(text.removeprefix(prefix))
    return ArchiveReference.parse(text)


def _split(text: str, kind: str, noun: str) -> tuple[str, str | None, Digest | None]:
    """Split the part after the prefix into the path, the tag and the digest."""
    rest, digest_text = _split_digest(text)
    path, colon, tag = rest.partition(":")
    if path.startswith("//"):
        # After the prefix, two slashes would be read as part of it.
        path = "/" + path.lstrip("/")
    if not path or any(ord(character) < 32 for character in path):
        what = "directory" if kind == "oci" else "file"
        raise InvalidReference(
            f"{f'{kind}:{text[:160]}'!r} does not name a {what}",
            hint=f"write {kind}:{noun}, {kind}:{noun}:TAG or {kind}:{noun}@DIGEST",
        )
    if colon and not is_layout_name(tag):
        raise invalid_tag(tag, f"{kind}:{text}")
    return path, tag if colon else None, Digest(digest_text) if digest_text else None


def _split_digest(text: str) -> tuple[str, str]:
    """Split a digest off a path, which may have an @ in it, as Jenkins' `job@2` has."""
    rest, _, last = text.rpartition("@")
    return (rest, last) if _LIKE_DIGEST.match(last) and rest else (text, "")


def _written(name: str, tag: str | None, digest: Digest | None) -> str:
    tag_text = f":{tag}" if tag else ""
    digest_text = f"@{digest}" if digest else ""
    return f"{name}{tag_text}{digest_text}"
