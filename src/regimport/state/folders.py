"""Folders that belong to one user alone."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["private_folder"]


def private_folder(folder: Path) -> Path:
    """Create the folder if it does not exist, and make it accessible to its owner alone.

    Raise `OSError` if that cannot be done, or if the folder is a link or another user's.
    """
    if not folder.is_absolute():
        raise NotADirectoryError("this user has no home directory")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not folder.is_dir() or folder.is_symlink() or found.st_uid != os.geteuid():
        raise NotADirectoryError(f"{folder} is not a folder of this user")
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder
