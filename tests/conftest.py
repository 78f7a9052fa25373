"""A clean environment for every test, no network but loopback, and the real registries."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import trustme

from regimport.secrets_sent import SENT
from support.program import Program
from support.registries import (
    BINARY,
    DockerRegistry,
    plain_registry,
    tls_registry,
    token_registry,
)
from support.tokenserver import TokenServer

# Set for the run of the tests that has httpx's transport in the place of ours.
_KEPT = "REGIMPORT_TRANSPORT"
_CLEARED = ("REGIMPORT_", "DOCKER_", "XDG_", "SSL_CERT_")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
_numbers = itertools.count()
# Where the tests decide about a change they try the same examples each time; elsewhere new ones.
hypothesis.settings.register_profile("same", derandomize=True)
if os.environ.get("REGIMPORT_REQUIRE_REAL"):
    hypothesis.settings.load_profile("same")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a program that is not here; where it must be here, let the test fail."""
    if os.environ.get("REGIMPORT_REQUIRE_REAL"):
        return
    for program in ("docker-registry", "skopeo"):
        if shutil.which(program) is None:
            mark = pytest.mark.skip(reason=f"{program} is not installed")
            for item in items:
                if item.get_closest_marker(program.replace("-", "_")):
                    item.add_marker(mark)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove the settings of the machine's user, and give the test an empty home."""
    for name in os.environ:
        if name == _KEPT:
            continue
        if name.startswith(_CLEARED) or name.lower() in _PROXIES or name == "REGISTRY_AUTH_FILE":
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture(autouse=True)
def no_secrets_sent_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what other tests of this process have sent: it would be taken out of texts."""
    monkeypatch.setattr(SENT, "_secrets", {})


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that connects to another machine."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def check(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else "a path"
        if self.family in {socket.AF_INET, socket.AF_INET6} and not (
            host == "::1" or str(host).startswith("127.")
        ):
            raise AssertionError(f"a test connects to {host}")

    def guarded_connect(self: socket.socket, address: Any) -> None:
        check(self, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        check(self, address)
        return connect_ex(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)


@pytest.fixture
def repository() -> str:
    """A repository name that no other test uses."""
    return f"test/r{next(_numbers)}"


@pytest.fixture(scope="session")
def registry_a(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """A plain docker-registry process."""
    assert BINARY, "docker-registry is not installed"
    with plain_registry(tmp_path_factory.mktemp("a")) as registry:
        yield registry


@pytest.fixture(scope="session")
def registry_b(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """Another plain docker-registry process."""
    assert BINARY, "docker-registry is not installed"
    with plain_registry(tmp_path_factory.mktemp("b")) as registry:
        yield registry


@pytest.fixture
def source(registry_a: DockerRegistry) -> DockerRegistry:
    """The registry that images come from, its log cleared."""
    registry_a.clear()
    return registry_a


@pytest.fixture
def target(registry_b: DockerRegistry) -> DockerRegistry:
    """The registry that images go to, its log cleared."""
    registry_b.clear()
    return registry_b


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """The authority that signs the certificates of the tests."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That authority's certificate, to be trusted."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="session")
def tls_process(
    authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DockerRegistry]:
    """A docker-registry process that speaks TLS and knows one user."""
    assert BINARY, "docker-registry is not installed"
    with tls_registry(tmp_path_factory.mktemp("tls"), authority) as registry:
        yield registry


@pytest.fixture(scope="session")
def token_process(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[DockerRegistry, TokenServer]]:
    """A docker-registry process that wants tokens, and the server that gives them out."""
    assert BINARY, "docker-registry is not installed"
    with token_registry(tmp_path_factory.mktemp("token")) as pair:
        yield pair


@pytest.fixture
def tokens(token_process: tuple[DockerRegistry, TokenServer]) -> tuple[DockerRegistry, TokenServer]:
    """The pair, its logs cleared and its ways as they were."""
    registry, server = token_process
    registry.clear()
    server.reset()
    return registry, server


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The real command, run as a process."""
    return Program(tmp_path)
