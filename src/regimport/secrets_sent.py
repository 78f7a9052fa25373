"""The secrets that this process has sent, so that they can be taken out of what comes back.

A registry, a gateway or a token service may repeat a request in its answer: an Authorization, the
state of an upload, the signature of a URL. What is sent is remembered here, for all runs of the
process, since an answer may come late. It takes no more than `_MOST` secrets; those sent last stay.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from functools import lru_cache
from urllib.parse import parse_qsl, quote, quote_plus, unquote

__all__ = ["SENT", "SHOWN_QUERY", "SentSecrets"]

# The values of a query that are no secrets.
SHOWN_QUERY = frozenset(
    {"artifacttype", "digest", "from", "last", "mount", "n", "scope", "service", "tag"}
)
_HIDDEN = "…"
# As many uploads may be open at once, and their answers on the way.
_MOST = 1024
# A shorter secret is taken out only where it is a whole word: others may contain it by chance.
_LONG = 8
_IN_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
# The fields of a form that are secrets (RFC 6749, sections 4.3.2 and 6; Azure/acr, AAD-OAuth.md).
_FIELDS = frozenset({"access_token", "password", "refresh_token"})


class SentSecrets:
    """Secrets, each in the forms in which it may come back; threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: dict[str, tuple[str, ...]] = {}

    def __repr__(self) -> str:
        """Return how many there are."""
        return f"<SentSecrets: {len(self._secrets)}, hidden>"

    def add(self, secret: str) -> None:
        """Remember a password or a token."""
        if secret and not self._refreshed(secret):
            self._add(secret, secret)

    def add_authorization(self, value: str) -> None:
        """Remember the value of an Authorization, and the password that it encodes (RFC 7617)."""
        if self._refreshed(value):
            return
        scheme, _, credential = value.partition(" ")
        found = [credential, credential.rstrip("=")]
        if scheme.lower() == "basic":
            pair = base64.b64decode(credential).decode("utf-8", "replace")
            found += [pair, pair.partition(":")[2]]
        self._add(value, *found)

    def add_url(self, url: str) -> None:
        """Remember the values of a URL's query that may be secret: upload states, signatures."""
        query = url.partition("?")[2].partition("#")[0]
        if not query or self._refreshed(query):
            return
        values = [
            form
            for name, _, value in (field.partition("=") for field in re.split("[&;]", query))
            if name.lower() not in SHOWN_QUERY
            for form in (value or name, unquote(value))
            if len(form) >= _LONG
        ]
        self._add(query, *values)

    def add_form(self, body: bytes) -> None:
        """Remember the passwords and tokens in a form."""
        for name, value in parse_qsl(body.decode("utf-8", "replace")):
            if name in _FIELDS:
                self.add(value)

    def removed_from(self, text: str, *, words: bool = True) -> str:
        """Return a text with `…` in the place of each secret.

        Without `words`, short secrets stay: in a text that is mostly ours they may be anything.
        """
        with self._lock:
            secrets = {secret for known in self._secrets.values() for secret in known}
        forms = {form for secret in secrets for form in _forms(secret) if form in text}
        # The longest first: a password is part of its pair.
        for form in sorted(forms, key=len, reverse=True):
            if len(form) >= _LONG:
                text = text.replace(form, _HIDDEN)
            elif words:
                text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", _HIDDEN, text)
        return text

    def _refreshed(self, key: str) -> bool:
        """Whether a secret is known, which then stays longest."""
        with self._lock:
            known = self._secrets.pop(key, None)
            if known is not None:
                self._secrets[key] = known
            return known is not None

    def _add(self, key: str, *secrets: str) -> None:
        with self._lock:
            self._secrets[key] = secrets
            if len(self._secrets) > _MOST:
                del self._secrets[next(iter(self._secrets))]


SENT = SentSecrets()


# Made where a text comes back that may have them in it, which few requests lead to.
@lru_cache(maxsize=4 * _MOST)
def _forms(secret: str) -> frozenset[str]:
    """Return the forms that a secret has in JSON, HTML and URLs, and its lines if it has several.

    A key of Google is a file of many lines; an answer may have any of them.
    """
    raw = secret.encode("utf-8", "replace")
    forms = {
        secret,
        re.sub("[&<>\"']", lambda found: _IN_HTML[found[0]], secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
    }
    lines = {line.strip() for line in secret.splitlines()}
    lines = {line for line in lines if len(line) >= _LONG}
    return frozenset(form for form in forms | lines if form)
