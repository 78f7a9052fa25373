"""The ends of a run that are on disk: image layouts and archives."""

from __future__ import annotations

import threading
from contextlib import ExitStack

from regimport.archive.reader import ArchiveReader
from regimport.engine.ends import Source, Target
from regimport.errors import InvalidReference
from regimport.layout.reader import LayoutReader
from regimport.layout.writer import Layout
from regimport.models.on_disk import ArchiveReference, LayoutReference

__all__ = ["Disk"]


class Disk:
    """Opens layouts and archives, and closes the archives at the end of the run.

    `stop` is set when the run is to end.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._opened = ExitStack()
        self._streams: dict[str, ArchiveReader] = {}

    def source(self, place: LayoutReference | ArchiveReference) -> Source:
        """Open a layout or an archive for reading; standard input is read once for all."""
        if isinstance(place, LayoutReference):
            return LayoutReader(place.path)
        known = self._streams.get(place.name)
        if known is not None:
            return known
        reader = ArchiveReader(place, self._stop.is_set)
        self._opened.callback(reader.close)
        if place.is_stream:
            self._streams[place.name] = reader
        return reader

    def target(self, place: LayoutReference | ArchiveReference) -> Target:
        """Open a layout for writing."""
        if isinstance(place, LayoutReference):
            return Layout(place.path)
        raise InvalidReference(
            f"{place.name} is an archive, to which nothing is written",
            hint="write oci:DIRECTORY for a layout on disk",
        )

    def close(self) -> None:
        """Close what was opened; what is not whole is not kept."""
        self._opened.close()
