"""What the distribution specification asks of a registry, asked of one.

It is the embedded registry, or, by its address (`host:port`, plain HTTP), the one that the
environment variable REGIMPORT_CONFORMANCE names.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import closing

import pytest

from regimport.server.run import serving
from server.client import Client

# Read before the fixture that cleans every test's environment.
_ADDRESS = os.environ.get("REGIMPORT_CONFORMANCE")


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the registry under test."""
    if _ADDRESS:
        yield _ADDRESS
        return
    with serving(tmp_path_factory.mktemp("conformance") / "registry") as registry:
        yield registry.address


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    """A connection to the registry under test."""
    with closing(Client(address)) as opened:
        yield opened


@pytest.fixture
def repository() -> str:
    """A repository that nothing was pushed to, on any registry."""
    return f"conformance/{secrets.token_hex(6)}"


@pytest.fixture
def other_repository() -> str:
    """Another one."""
    return f"conformance/other-{secrets.token_hex(6)}"
