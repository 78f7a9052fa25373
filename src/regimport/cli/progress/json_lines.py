"""The reporter that prints a JSON object per event, for programs that show progress themselves."""

from __future__ import annotations

import dataclasses
import json
import sys
import threading

from regimport.events import Event

__all__ = ["JsonLines"]


class JsonLines:
    """Prints one JSON object per event, for programs that show progress themselves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def tell(self, event: Event) -> None:
        """Print the event as JSON."""
        fields = {
            field.name: _plain(getattr(event, field.name)) for field in dataclasses.fields(event)
        }
        line = json.dumps({"event": type(event).__name__, **fields})
        with self._lock:
            print(line, file=sys.stderr, flush=True)


def _plain(value: object) -> object:
    return getattr(value, "digest", value)
