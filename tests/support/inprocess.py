"""The command in this process: what it prints and its exit code, without the time of a start."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from regimport.cli import app
from support.program import Ended


class Here:
    """Runs `regimport` in this process, in a folder, without handlers of signals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Ended:
        out, err = _Stream(), _Stream()
        with (
            patch.multiple(sys, argv=["regimport", *arguments], stdout=out, stderr=err),
            patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")),
            patch.dict(os.environ, environment),
            _within(self.folder),
            _own_log(),
        ):
            code = app._run(app._program)
        return Ended(code, out.text, err.text)


class _Stream(io.TextIOWrapper):
    """A stream of text over bytes in memory, as standard output is."""

    def __init__(self) -> None:
        self._bytes = io.BytesIO()
        super().__init__(self._bytes, encoding="utf-8", write_through=True)

    @property
    def text(self) -> str:
        self.flush()
        return self._bytes.getvalue().decode()


@contextmanager
def _within(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _own_log() -> Iterator[None]:
    """Take back what `-vv` sets: a handler that writes to a stream which is gone."""
    root, own = logging.getLogger(), logging.getLogger("regimport")
    handlers, level = list(root.handlers), own.level
    root.handlers.clear()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        own.setLevel(level)
