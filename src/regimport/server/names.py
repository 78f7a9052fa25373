"""The names under which a layout lists the tags and manifests of repositories."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from regimport.layout.index import REF_NAME, Entry
from regimport.models.manifest import Manifest
from regimport.models.reference import is_repository
from regimport.models.tag import is_tag

__all__ = ["default_repository", "owner", "tagged", "untagged"]

# The annotation that names the repository of a manifest without a tag.
_REPOSITORY = "vnd.regimport.repository"


def default_repository(directory: Path) -> str:
    """Return the repository of entries with a bare tag or without a name.

    It is the name of the folder, or of the folder above if that is named `layout`.
    """
    folder = directory.resolve()
    name = (folder.parent if folder.name == "layout" else folder).name
    name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") if not is_repository(name) else name
    return name or "layout"


def owner(entry: Entry, default: str) -> tuple[str, str | None]:
    """Return the repository of an entry, and its tag if it has one.

    This registry names an entry `repository:tag`; a bare tag, as other tools write it, belongs to
    the repository `default`. Any other name counts as no tag.
    """
    repository = entry.descriptor.annotations.get(_REPOSITORY, "")
    return _owner(entry.name, repository if is_repository(repository) else default)


def tagged(manifest: Manifest, repository: str, tag: str) -> Entry:
    """Return the entry for a manifest with a tag."""
    return Entry.of(manifest, {REF_NAME: f"{repository}:{tag}"})


def untagged(entry: Entry, repository: str) -> Entry:
    """Return the entry for the manifest of `entry` without a tag."""
    return entry.annotated({_REPOSITORY: repository})


@lru_cache(maxsize=8192)
def _owner(name: str | None, default: str) -> tuple[str, str | None]:
    repository, _, tag = (name or "").rpartition(":")
    if is_repository(repository or default) and is_tag(tag):
        return repository or default, tag
    return default, None
