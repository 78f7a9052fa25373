"""An archive as the source of a copy."""

from __future__ import annotations

from collections.abc import Callable

from regimport.archive.contents import Tar, TarContents
from regimport.archive.docker import DockerContents
from regimport.layout.reader import ImageReader
from regimport.models.on_disk import ArchiveReference

__all__ = ["ArchiveReader"]


class ArchiveReader(ImageReader):
    """The images of an archive, for reading; an empty reference means its only image."""

    hint_of_missing = (
        "the archive is incomplete; `docker save` leaves out the platforms that were not pulled: "
        "choose one with `platforms`"
    )

    def __init__(
        self, place: ArchiveReference, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self._tar = Tar(place.name, place.path, stopped)
        docker = place.kind == "docker-archive"
        super().__init__((DockerContents if docker else TarContents)(self._tar))

    def close(self) -> None:
        """Close the archive; what is still being read from it ends in order."""
        self._tar.close()
