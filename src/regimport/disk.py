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

    def target(self, place: LayoutReference | ArchiveReference, repository: str | None) -> Target:
        """Open a layout or an archive for writing; `repository` is where the image comes from."""
        if isinstance(place, LayoutReference):
            return Layout(place.path)
        if place.kind == "docker-archive":
            raise InvalidReference(
                f"{place.name} is a tar of `docker save`, to which nothing is written",
                hint=f"write oci-archive:{place.path}; `docker load` reads it, too",
            )
        # Imported where one is written: reading takes less.
        from regimport.archive.writer import Archive  # noqa: PLC0415

        archive = Archive(place, repository, self._stop.is_set)
        self._opened.callback(archive.close)
        return archive

    def close(self) -> None:
        """Close what was opened; what is not whole is not kept."""
        self._opened.close()
