from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from regimport.server.run import serving
from server.client import Client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "registry"


@pytest.fixture
def connect(folder: Path) -> Iterator[Callable[[], Client]]:
    """Give a function that opens one more connection to a registry over `folder`."""
    with ExitStack() as stack:
        registry = stack.enter_context(serving(folder))

        def open_client() -> Client:
            client = Client(registry.address)
            stack.callback(client.close)
            return client

        yield open_client


@pytest.fixture
def client(connect: Callable[[], Client]) -> Client:
    return connect()
