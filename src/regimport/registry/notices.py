"""What a registry wants its users to know: `Warning` fields, each shown once."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping

from regimport.redact import safe_text

__all__ = ["Notices"]

# OCI distribution specification, "Warnings": the code 299, no agent, and no date.
_NOTICE = re.compile(r'(?:^|[\s,])299 - "((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")
# What is read of a field, in characters, and how many texts of one registry are shown: a text that
# is another one each time would fill the screen.
_MOST_CHARACTERS = 8 * 1024
_MOST_SHOWN = 10


class Notices:
    """The notices of the registries of a run that were shown; shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shown: dict[str, set[str]] = {}

    def new(self, registry: str, headers: Mapping[str, str]) -> list[str]:
        """Return the texts in an answer's header fields that the registry has not sent before."""
        field = headers.get("warning", "")[:_MOST_CHARACTERS]
        found = [safe_text(_ESCAPE.sub(r"\1", text)) for text in _NOTICE.findall(field)]
        if not found:
            return []
        new: list[str] = []
        with self._lock:
            shown = self._shown.setdefault(registry, set())
            for text in found:
                if text and text not in shown and len(shown) < _MOST_SHOWN:
                    shown.add(text)
                    new.append(text)
        return new
