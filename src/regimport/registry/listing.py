"""A list of names at a registry, page by page, as the specification lists tags."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence

from regimport.auth.tokens import Scopes
from regimport.errors import RegistryError
from regimport.redact import safe_text, safe_url
from regimport.registry.request import Request
from regimport.registry.session import Session
from regimport.transport.answers import Answer, error_of
from regimport.transport.origins import next_page
from regimport.values import dataclass

__all__ = ["Listed", "list_pages"]

# One page in bytes, and the values in it: a registry may send all its tags at once, and some send a
# few facts on each image too. Read as JSON, a value takes up to 200 bytes of memory.
_PAGE_BYTES = 16 * 1024 * 1024
_MAX_VALUES = 1_200_000
_MAX_NAMES = 1_000_000
# The names themselves, in bytes, which are kept to tell new ones from those that came before.
_MAX_NAMES_BYTES = 48 * 1024 * 1024
_MAX_PAGES = 20_000
# How many pages in a row may bring no new name before the listing counts as one without end.
_MAX_IDLE_PAGES = 5
# How many invalid names a warning quotes, and how much of each, in characters.
_NAMED = 5
_NAMED_LENGTH = 80
# How much of an invalid name is kept, in characters, to know it again.
_KEPT_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list holds: the key of its pages, the word for an entry, and which are valid."""

    key: str
    word: str
    is_valid: Callable[[str], bool]


def list_pages(
    session: Session, owner: str, url: str, scopes: Scopes, listed: Listed
) -> Iterator[list[str]]:
    """Yield the names in the registry's order, asking for each page when needed.

    `Link` names the next page (OCI distribution specification, "Listing Tags"). Each name is
    yielded once; entries that are not valid are left out, and quoted in one warning at the end.
    `owner` is what messages call the thing whose list it is. Raise `RegistryError` if the list
    cannot be read to its end.
    """
    listing = _Listing(owner, listed)
    next_url: str | None = url
    while next_url is not None:
        answer = session.ask(Request("GET", next_url, scopes, limit=_PAGE_BYTES))
        if not answer.ok:
            raise error_of(answer)
        yield listing.add(answer)
        next_url = next_page(answer.url, answer.headers.get("link", ""))
        del answer
        listing.check_next(next_url)
    if listing.odd:
        session.warn(_warning(owner, listed.word, list(listing.odd), listing.odd_count))


class _Listing:
    """What was listed so far, so that a registry cannot go on for ever."""

    def __init__(self, owner: str, listed: Listed) -> None:
        self.odd: dict[str, None] = {}
        self.odd_count = 0
        self._owner = owner
        self._listed = listed
        self._names: set[str] = set()
        # The hashes of the pages' addresses, of which each may have thousands of characters.
        self._read: set[bytes] = set()
        self._pages = 0
        self._bytes = 0
        self._idle = 0

    def add(self, answer: Answer) -> list[str]:
        """Return the names of a page that were not on an earlier one."""
        self._read.add(_hash(answer.url))
        self._pages += 1
        entries = dict.fromkeys(_entries(answer.body, answer.url, self._listed.key))
        valid = self._listed.is_valid
        names = [entry for entry in entries if valid(entry) and entry not in self._names]
        self._names.update(names)
        odd = [entry for entry in entries if not valid(entry)]
        self.odd_count += sum(entry[:_KEPT_LENGTH] not in self.odd for entry in odd)
        kept = itertools.islice(odd, _NAMED - len(self.odd)) if len(self.odd) < _NAMED else ()
        self.odd.update((entry[:_KEPT_LENGTH], None) for entry in kept)
        self._bytes += sum(map(len, names))
        if len(self._names) + self.odd_count > _MAX_NAMES or self._bytes > _MAX_NAMES_BYTES:
            raise RegistryError(f"{self._owner} lists more than {_MAX_NAMES} {self._listed.key}")
        self._idle = 0 if names else self._idle + 1
        return names

    def check_next(self, url: str | None) -> None:
        """Raise `RegistryError` if the next page would not bring the listing to an end."""
        if url is None:
            return
        if _hash(url) in self._read:
            reason = "its next page is one that was read before"
        elif self._idle >= _MAX_IDLE_PAGES:
            word = self._listed.word
            reason = f"its last {self._idle} pages brought no new {word}, and it names another one"
        elif self._pages >= _MAX_PAGES:
            reason = f"it has more than {_MAX_PAGES} pages"
        else:
            return
        raise RegistryError(
            f"the list of {self._listed.key} of {self._owner} does not end: {reason}",
            hint="the list may be incomplete; the registry's paging is broken",
        )


def _entries(body: bytes, url: str, key: str) -> list[str]:
    """Return the entries of a page; null, where a name should be, is an empty one."""
    try:
        # Counted before it is parsed: each value but the first follows one of these.
        crowded = sum(map(body.count, (b",", b"[", b"{"))) > _MAX_VALUES
        document = None if crowded else json.loads(body)
    except (ValueError, RecursionError):
        document = None
    entries: object = None
    # An object that tells of an error says nothing about the names.
    if isinstance(document, dict) and not document.keys() & {"error", "errors"}:
        names = document.get(key)
        entries = [] if names is None else names
    if not isinstance(entries, list) or not all(isinstance(entry, str | None) for entry in entries):
        raise RegistryError(
            f"the answer to {safe_url(url)} is not a list of {key}",
            hint="a proxy or a login page may have answered in the registry's place",
        )
    return ["" if entry is None else entry for entry in entries]


def _hash(url: str) -> bytes:
    return hashlib.sha256(url.encode("utf-8", "replace")).digest()


def _warning(owner: str, word: str, odd: Sequence[str], count: int) -> str:
    quoted = ", ".join(f"'{safe_text(name, _NAMED_LENGTH)}'" for name in odd)
    more = f" and {count - len(odd)} more" if count > len(odd) else ""
    return f"{owner} lists what cannot be a {word}, which was left out: {quoted}{more}"
