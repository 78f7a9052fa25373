"""The list of tags of a repository, page by page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TypeGuard

from regimport.errors import RegistryError
from regimport.models.reference import is_tag
from regimport.redact import safe_text, safe_url
from regimport.registry.repository_client import RepositoryClient
from regimport.registry.request import Request
from regimport.transport.answers import Answer, error_of
from regimport.transport.links import next_page

__all__ = ["tag_pages"]

# One page in bytes, and the values in it: a registry may send all its tags at once, and some send
# a few facts on each image too. Read as JSON, a value takes up to 200 bytes of memory.
_PAGE_BYTES = 16 * 1024 * 1024
_MOST_VALUES = 1_200_000
_MOST_TAGS = 1_000_000
# A million tags on pages of 50 (Quay), and how many pages may follow each other that bring nothing
# new: some registries filter a page after they have cut it off, but a list without end is all such.
_MOST_PAGES = 20_000
_MOST_PAGES_WITHOUT_NEWS = 5
# How many entries that are no tags are quoted in the warning.
_MOST_QUOTED = 5


def tag_pages(client: RepositoryClient) -> Iterator[list[str]]:
    """Yield the tags of a repository in the registry's order, asking for each page when needed.

    `Link` names the next page (OCI distribution specification, "Listing Tags"). Each tag is
    yielded once; entries that are no tags are left out, with a warning. Raise `RegistryError` for
    a list that does not end, or whose next page is unclear.
    """
    listing = _Listing(client.name)
    url: str | None = f"{client.repository}/tags/list"
    try:
        while url is not None:
            answer = client.session.ask(Request("GET", url, client.scopes, limit=_PAGE_BYTES))
            if not answer.ok:
                raise error_of(answer)
            yield listing.add(_entries(answer))
            link = answer.headers.get("link", "")
            url = next_page(answer.url, link, client.session.base)
    finally:
        if listing.odd:
            client.session.warn(listing.warning())


class _Listing:
    """The pages of one list that were read so far; `odd` counts the entries that are no tags."""

    def __init__(self, name: str) -> None:
        self.odd = 0
        self._name = name
        self._tags: set[str] = set()
        self._pages = 0
        self._without_news = 0
        self._quoted: list[str] = []

    def add(self, entries: list[object]) -> list[str]:
        """Return the tags of a page that were not on an earlier one."""
        before = len(self._tags)
        new = [entry for entry in entries if self._is_new(entry)]
        self._pages += 1
        self._without_news = 0 if len(self._tags) > before else self._without_news + 1
        if self._without_news > _MOST_PAGES_WITHOUT_NEWS:
            raise self._endless(f"{self._without_news} pages in a row brought no new tag")
        if self._pages >= _MOST_PAGES:
            raise self._endless(f"it has more than {_MOST_PAGES} pages")
        if len(self._tags) > _MOST_TAGS:
            raise RegistryError(f"{self._name} lists more than {_MOST_TAGS} tags")
        return new

    def warning(self) -> str:
        """Return what to say of the entries that are no tags."""
        more = "" if self.odd <= len(self._quoted) else f" and {self.odd - len(self._quoted)} more"
        what = "entry that is no tag" if self.odd == 1 else "entries that are no tags"
        quoted = ", ".join(self._quoted)
        return f"{self._name} lists {self.odd} {what}, left out here: {quoted}{more}"

    def _is_new(self, entry: object) -> TypeGuard[str]:
        """Note an entry; return whether it is a tag that was not there before."""
        if not isinstance(entry, str) or not is_tag(entry):
            self.odd += 1
            if len(self._quoted) < _MOST_QUOTED:
                self._quoted.append(_quoted(entry))
            return False
        if entry in self._tags:
            return False
        self._tags.add(entry)
        return True

    def _endless(self, reason: str) -> RegistryError:
        return RegistryError(
            f"the list of tags of {self._name} does not end: {reason}",
            hint="the registry does not go on from where the last page ended; ask who runs it",
        )


def _entries(answer: Answer) -> list[object]:
    """Return what a page lists; a document without `tags`, or with null, lists nothing."""
    body = answer.body
    # Counted before it is parsed: each value but the first follows one of these.
    crowded = sum(map(body.count, (b",", b"[", b"{"))) > _MOST_VALUES
    try:
        document = None if crowded else json.loads(body)
    except (ValueError, RecursionError):
        document = None
    tags = _tags(document) if isinstance(document, dict) else None
    if not isinstance(tags, list):
        raise RegistryError(
            f"the answer to {safe_url(answer.url)} is not a list of tags",
            hint="a proxy or a login page may have answered in the registry's place",
        )
    return tags


def _tags(document: dict[str, object]) -> object:
    """Return what stands for the tags in a document, None if it is one of errors."""
    tags = document.get("tags")
    return [] if tags is None and not document.get("errors") else tags


def _quoted(entry: object) -> str:
    """Return an entry as the warning names it."""
    if isinstance(entry, str):
        return f"'{safe_text(entry[:200], 80)}'"
    names = {type(None): "null", dict: "an object", list: "a list", bool: "true or false"}
    return names.get(type(entry), "a number")
