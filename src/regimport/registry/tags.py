"""The list of tags of a repository."""

from __future__ import annotations

from collections.abc import Iterator

from regimport.models.tag import is_tag
from regimport.registry.listing import Listed, list_pages
from regimport.registry.repository_client import RepositoryClient

__all__ = ["tag_pages"]

_TAGS = Listed("tags", "tag", is_tag)


def tag_pages(client: RepositoryClient) -> Iterator[list[str]]:
    """Yield the tags of a repository page by page, as `list_pages` does."""
    url = f"{client.repository}/tags/list"
    return list_pages(client.session, client.name, url, client.scopes, _TAGS)
