"""The configuration of an image: who made it when, and how it is run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from regimport.large import LARGE_BYTES, begin_large, one_large
from regimport.models.mapping import FrozenMapping
from regimport.models.platform import Platform

__all__ = ["HistoryEntry", "ImageConfig"]


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A step in which an image was built; `empty_layer` if it made no layer."""

    created: datetime | None
    created_by: str
    comment: str
    empty_layer: bool


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What an image's configuration says of it; what it does not say is None, or empty."""

    created: datetime | None = None
    platform: Platform | None = None
    author: str | None = None
    user: str | None = None
    working_directory: str | None = None
    stop_signal: str | None = None
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=FrozenMapping)
    history: tuple[HistoryEntry, ...] = ()

    @classmethod
    def parse(cls, raw: bytes) -> ImageConfig:
        """Read a configuration (OCI image specification, config.md), without what is invalid."""
        try:
            with one_large():
                if len(raw) > LARGE_BYTES:
                    begin_large()
                document = json.loads(raw)
        except (ValueError, RecursionError):
            return cls()
        if not isinstance(document, Mapping):
            return cls()
        settings = document.get("config")
        settings = settings if isinstance(settings, Mapping) else {}
        history = document.get("history")
        return cls(
            created=_time(document.get("created")),
            platform=Platform.from_json(document),
            author=_text(document.get("author")),
            user=_text(settings.get("User")),
            working_directory=_text(settings.get("WorkingDir")),
            stop_signal=_text(settings.get("StopSignal")),
            entrypoint=_texts(settings.get("Entrypoint")),
            command=_texts(settings.get("Cmd")),
            environment=_texts(settings.get("Env")),
            exposed_ports=_texts(settings.get("ExposedPorts")),
            volumes=_texts(settings.get("Volumes")),
            labels=_labels(settings.get("Labels")),
            history=tuple(map(_step, history)) if isinstance(history, list) else (),
        )


def _step(value: object) -> HistoryEntry:
    step = value if isinstance(value, Mapping) else {}
    return HistoryEntry(
        _time(step.get("created")),
        _text(step.get("created_by")) or "",
        _text(step.get("comment")) or "",
        step.get("empty_layer") is True,
    )


def _text(value: object) -> str | None:
    """Return a text as it can be written anywhere: a lone surrogate becomes a question mark."""
    if not isinstance(value, str) or not value:
        return None
    return value.encode("utf-8", "replace").decode("utf-8")


def _texts(value: object) -> tuple[str, ...]:
    """Return the texts of a list, or the names of an object that is used as a set of them."""
    found = value if isinstance(value, list | Mapping) else ()
    return tuple(text for entry in found if (text := _text(entry)) is not None)


def _labels(value: object) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        return FrozenMapping()
    pairs = ((_text(name), _text(text) or "") for name, text in value.items())
    return FrozenMapping((name, text) for name, text in pairs if name is not None)


def _time(value: object) -> datetime | None:
    """Return a time of RFC 3339 in UTC; the year 1 is how Go writes that there is none."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if found.year > 1 else None
