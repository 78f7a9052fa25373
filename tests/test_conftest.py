"""The guards that hold in every test."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")]
)
def test_no_test_connects_to_another_machine(
    method: str, family: socket.AddressFamily, host: str
) -> None:
    with closing(socket.socket(family)) as connection:
        connection.setblocking(False)
        with pytest.raises(AssertionError, match=f"a test connects to {host}"):
            getattr(connection, method)((host, 443))


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_loopback_is_open_to_tests(method: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        with closing(socket.socket()) as connection:
            assert getattr(connection, method)(listener.getsockname()) in {None, 0}
