"""Sessions with the tests' servers, closed when their test ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from products.conftest import world
from regimport.auth.lookup import CredentialLookup
from regimport.errors import Side
from regimport.events import Event
from regimport.models.credential import Credential
from regimport.options import CopyOptions, RetryPolicy
from regimport.registry.repository_client import RepositoryClient
from regimport.registry.session import Session

__all__ = ["IMPATIENT", "Sessions", "sessions", "world"]

IMPATIENT = RetryPolicy(attempts=4, first_delay=0, longest_delay=0)


class Sessions:
    """Opens sessions that never wait between attempts, and keeps what they tell."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.told: list[Event] = []
        self.stop = threading.Event()

    def tell(self, event: Event) -> None:
        self.told.append(event)

    def open(
        self,
        address: str,
        side: Side = Side.SOURCE,
        credential: Credential | None = None,
        policy: RetryPolicy = IMPATIENT,
    ) -> Session:
        options = CopyOptions(retry=policy)
        session = Session(
            address, side, options, CredentialLookup(lambda _: credential), self, self.stop
        )
        self._stack.callback(session.close)
        return session

    def access(
        self, address: str, side: Side = Side.TARGET, credential: Credential | None = None
    ) -> RepositoryClient:
        scopes = ("repository:app:pull,push",)
        return RepositoryClient(self.open(address, side, credential), "app", scopes)


@pytest.fixture
def sessions() -> Iterator[Sessions]:
    with ExitStack() as stack:
        yield Sessions(stack)
