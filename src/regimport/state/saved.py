"""What is saved for later runs, opened where it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regimport.state.manifests import ManifestFiles
    from regimport.state.uploads import UploadFiles

__all__ = ["SavedState"]


class SavedState:
    """The unfinished uploads and the manifests of this user; shared by threads."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._lock = threading.Lock()
        self._uploads: UploadFiles | None = None
        self._manifests: ManifestFiles | None = None

    def uploads(self) -> UploadFiles:
        """Return the store of unfinished uploads."""
        with self._lock:
            if self._uploads is None:
                # Imported where a large blob is written.
                from regimport.state.uploads import UploadFiles  # noqa: PLC0415

                self._uploads = UploadFiles(self._warn)
            return self._uploads

    def manifests(self) -> ManifestFiles:
        """Return the cache of manifests."""
        with self._lock:
            if self._manifests is None:
                # Imported where a manifest is read by its digest.
                from regimport.state.manifests import ManifestFiles  # noqa: PLC0415

                self._manifests = ManifestFiles()
            return self._manifests
