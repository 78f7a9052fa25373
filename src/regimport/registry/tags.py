"""The list of tags of a repository, page by page."""

from __future__ import annotations

import json
from collections.abc import Iterator

from regimport.errors import RegistryError
from regimport.models.reference import is_tag
from regimport.redact import safe_text, safe_url
from regimport.registry.repository_client import RepositoryClient
from regimport.registry.request import Request
from regimport.transport.answers import error_of
from regimport.transport.origins import next_page

__all__ = ["tag_pages"]

_PAGE_BYTES = 32 * 1024 * 1024
_MAX_TAGS = 1_000_000


def tag_pages(client: RepositoryClient) -> Iterator[list[str]]:
    """Yield the tags of a repository in the registry's order, asking for each page when needed.

    `Link` names the next page (OCI distribution specification, "Listing Tags"); each is read once.
    """
    url: str | None = f"{client.repository}/tags/list"
    seen: set[str] = set()
    count = 0
    while url is not None:
        answer = client.session.ask(Request("GET", url, client.scopes, limit=_PAGE_BYTES))
        if not answer.ok:
            raise error_of(answer)
        page = _tags(answer.body, answer.url)
        count += len(page)
        if count > _MAX_TAGS:
            raise RegistryError(f"{client.name} lists more than {_MAX_TAGS} tags")
        yield page
        seen.add(answer.url)
        url = next_page(answer.url, answer.headers.get("link", ""), seen)


def _tags(body: bytes, url: str) -> list[str]:
    try:
        tags = json.loads(body)["tags"] or []
    except (ValueError, KeyError, TypeError, RecursionError):
        tags = None
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise RegistryError(
            f"the answer to {safe_url(url)} is not a list of tags",
            hint="a proxy or a login page may have answered in the registry's place",
        )
    odd = next((tag for tag in tags if not is_tag(tag)), None)
    if odd is not None:
        # It cannot name an image, and scripts that read the list expect tags.
        raise RegistryError(
            f"the answer to {safe_url(url)} lists an invalid tag: {safe_text(odd, 80)}"
        )
    return tags
