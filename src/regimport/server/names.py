"""Repositories and tags: their grammar, and the names a layout lists them under."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from regimport.layout.index import REF_NAME, Entry
from regimport.models.manifest import Manifest

__all__ = ["default_repository", "is_repository", "is_tag", "owner", "tagged", "untagged"]

# OCI distribution specification, "Pulling manifests"; both are what becomes part of a path here.
_REPOSITORY = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_MAX_NAME = 255
# Says which repository holds a manifest that has no tag there.
_HOLDER = "vnd.regimport.repository"


def is_repository(name: str) -> bool:
    """Tell whether `name` can be a repository."""
    return len(name) <= _MAX_NAME and _REPOSITORY.fullmatch(name) is not None


def is_tag(name: str) -> bool:
    """Tell whether `name` can be a tag."""
    return _TAG.fullmatch(name) is not None


def default_repository(directory: Path) -> str:
    """Give the repository of what a layout lists under a bare tag, or under no name.

    It is the name of the folder; of the folder above it, where the folder is named `layout`.
    """
    folder = directory.resolve()
    name = (folder.parent if folder.name == "layout" else folder).name
    name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") if not is_repository(name) else name
    return name or "layout"


def owner(entry: Entry, default: str) -> tuple[str, str | None]:
    """Give the repository of an entry, and its tag if it has one.

    `repository:tag` is how this registry names an entry; a bare tag, as other tools write it, is
    one of the repository `default`. Any other name is none here.
    """
    holder = entry.descriptor.annotations.get(_HOLDER)
    return _owner(entry.name, default if holder is None or not is_repository(holder) else holder)


def tagged(manifest: Manifest, repository: str, tag: str) -> Entry:
    """List a manifest under a tag."""
    return Entry.of(manifest, {REF_NAME: f"{repository}:{tag}"})


def untagged(entry: Entry, repository: str) -> Entry:
    """List the manifest of `entry` without a tag."""
    return entry.annotated({_HOLDER: repository})


@lru_cache(maxsize=8192)
def _owner(name: str | None, default: str) -> tuple[str, str | None]:
    repository, _, tag = (name or "").rpartition(":")
    if is_repository(repository or default) and is_tag(tag):
        return repository or default, tag
    return default, None
