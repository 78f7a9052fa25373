"""The list of tags of a repository, page by page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from regimport.errors import RegistryError
from regimport.models.tag import is_tag
from regimport.redact import safe_text, safe_url
from regimport.registry.repository_client import RepositoryClient
from regimport.registry.request import Request
from regimport.transport.answers import Answer, error_of
from regimport.transport.origins import next_page

__all__ = ["tag_pages"]

# One page in bytes, and the values in it: a registry may send all its tags at once, and some send a
# few facts on each image too. Read as JSON, a value takes up to 200 bytes of memory.
_PAGE_BYTES = 16 * 1024 * 1024
_MAX_VALUES = 1_200_000
_MAX_TAGS = 1_000_000
_MAX_PAGES = 20_000
# How many pages in a row may bring no new tag before the listing counts as one without end.
_MAX_IDLE_PAGES = 5
# How many invalid tags a warning names, and how much of each, in characters.
_NAMED = 5
_NAMED_LENGTH = 80


def tag_pages(client: RepositoryClient) -> Iterator[list[str]]:
    """Yield the tags of a repository in the registry's order, asking for each page when needed.

    `Link` names the next page (OCI distribution specification, "Listing Tags"). Each tag is
    yielded once; entries that are no tags are left out, and named in one warning at the end. Raise
    `RegistryError` if the list cannot be read to its end.
    """
    listing = _Listing(client.name)
    url: str | None = f"{client.repository}/tags/list"
    while url is not None:
        answer = client.session.ask(Request("GET", url, client.scopes, limit=_PAGE_BYTES))
        if not answer.ok:
            raise error_of(answer)
        yield listing.add(answer)
        url = next_page(answer.url, answer.headers.get("link", ""))
        listing.check_next(url)
    if listing.odd:
        client.session.warn(_warning(client.name, list(listing.odd)))


class _Listing:
    """What was listed so far, so that a registry cannot go on for ever."""

    def __init__(self, name: str) -> None:
        self.odd: dict[str, None] = {}
        self._name = name
        self._tags: set[str] = set()
        self._read: set[str] = set()
        self._pages = 0
        self._idle = 0

    def add(self, answer: Answer) -> list[str]:
        """Return the tags of a page that were not on an earlier one."""
        self._read.add(answer.url)
        self._pages += 1
        entries = dict.fromkeys(_entries(answer.body, answer.url))
        tags = [tag for tag in entries if is_tag(tag) and tag not in self._tags]
        self._tags.update(tags)
        self.odd.update((entry, None) for entry in entries if not is_tag(entry))
        if len(self._tags) + len(self.odd) > _MAX_TAGS:
            raise RegistryError(f"{self._name} lists more than {_MAX_TAGS} tags")
        self._idle = 0 if tags else self._idle + 1
        return tags

    def check_next(self, url: str | None) -> None:
        """Raise `RegistryError` if the next page would not bring the listing to an end."""
        if url is None:
            return
        if url in self._read:
            reason = "its next page is one that was read before"
        elif self._idle >= _MAX_IDLE_PAGES:
            reason = f"its last {self._idle} pages brought no new tag, and it names another one"
        elif self._pages >= _MAX_PAGES:
            reason = f"it has more than {_MAX_PAGES} pages"
        else:
            return
        raise RegistryError(
            f"the list of tags of {self._name} does not end: {reason}",
            hint="the list may be incomplete; the registry's paging is broken",
        )


def _entries(body: bytes, url: str) -> list[str]:
    """Return the entries of a page; null, where a tag should be, is an empty one."""
    try:
        # Counted before it is parsed: each value but the first follows one of these.
        crowded = sum(map(body.count, (b",", b"[", b"{"))) > _MAX_VALUES
        document = None if crowded else json.loads(body)
    except (ValueError, RecursionError):
        document = None
    entries: object = None
    # An object that tells of an error says nothing about the tags.
    if isinstance(document, dict) and not document.keys() & {"error", "errors"}:
        tags = document.get("tags")
        entries = [] if tags is None else tags
    if not isinstance(entries, list) or not all(isinstance(entry, str | None) for entry in entries):
        raise RegistryError(
            f"the answer to {safe_url(url)} is not a list of tags",
            hint="a proxy or a login page may have answered in the registry's place",
        )
    return ["" if entry is None else entry for entry in entries]


def _warning(name: str, odd: Sequence[str]) -> str:
    named = ", ".join(f"'{safe_text(tag, _NAMED_LENGTH)}'" for tag in odd[:_NAMED])
    more = f" and {len(odd) - _NAMED} more" if len(odd) > _NAMED else ""
    return f"{name} lists what cannot be a tag, which was left out: {named}{more}"
