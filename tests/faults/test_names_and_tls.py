"""Registries whose name is unknown, or whose TLS is cut."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from faults.actions import CLOSE, RESET, Cut
from faults.locks import Basic
from faults.message import CHUNKED, UNTIL_CLOSE, WITH_LENGTH, Framing
from faults.proxy import Fault, FaultyRegistry
from faults.table import IMAGE, LAYER, OLD, OPTIONS, Result, Stage, run_copy
from regimport.errors import Unreachable
from regimport.transport.dial import Dialer

HOST = "registry.test"
_resolve = socket.getaddrinfo


@pytest.fixture(autouse=True)
def one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name for loopback that does not look like it."""
    answer_names(monkeypatch, lambda: None)


def answer_names(monkeypatch: pytest.MonkeyPatch, before: Callable[[], None]) -> None:
    def resolve(host: str, *rest: object, **more: object) -> object:
        if host == HOST:
            before()
            host = "127.0.0.1"
        return _resolve(host, *rest, **more)  # type: ignore[arg-type]

    *others, _ = Dialer.__init__.__defaults__ or ()
    monkeypatch.setattr(Dialer.__init__, "__defaults__", (*others, resolve))


def named(registry: FaultyRegistry) -> FaultyRegistry:
    """The same under the name."""
    registry.address = f"{HOST}:{registry.address.rpartition(':')[2]}"
    return registry


def copied(stage: Stage, repository: str, source: FaultyRegistry, **options: object) -> Result:
    stage.set_up(repository, IMAGE, OLD)
    with FaultyRegistry(stage.addresses[1]) as target:
        return run_copy(named(source), target, repository, replace(OPTIONS, **options))  # type: ignore[arg-type]


def test_a_name_that_does_not_exist_ends_it_at_once(
    stage: Stage, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def unknown() -> None:
        asked.append(HOST)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    answer_names(monkeypatch, unknown)
    with FaultyRegistry(stage.addresses[0]) as source:
        result = copied(stage, repository, source)
    assert isinstance(result.error, Unreachable)
    assert f"host not found: {HOST}" in result.error.message
    assert result.error.side == "source"
    assert len(asked) <= 2
    assert stage.state(repository) == OLD.content()


def test_a_name_server_that_is_busy_is_asked_again(
    stage: Stage, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [socket.gaierror(socket.EAI_AGAIN, "Temporary failure") for _ in range(3)]

    def busy() -> None:
        if failures:
            raise failures.pop()

    answer_names(monkeypatch, busy)
    with FaultyRegistry(stage.addresses[0], lock=Basic()) as source:
        result = copied(stage, repository, source, plain_http=frozenset({named(source).address}))
    assert result.error is None
    assert stage.state(repository) == IMAGE.content()
    assert len(result.retries) == 3


def certificate(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    return context


@pytest.mark.parametrize("framing", [WITH_LENGTH, CHUNKED, UNTIL_CLOSE], ids=lambda f: f.name)
@pytest.mark.parametrize("how", [CLOSE, RESET])
def test_tls_that_is_cut_without_a_farewell_is_no_end_of_a_blob(
    stage: Stage,
    repository: str,
    authority: trustme.CA,
    ca_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    framing: Framing,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    cut = Fault("GET blob", Cut(400_000, how, framing), (1, 2), LAYER)
    tls = certificate(authority)
    with FaultyRegistry(stage.addresses[0], [cut], tls=tls, lock=Basic()) as source:
        result = copied(stage, repository, source)
        assert source.count("GET blob") == 4
    assert result.error is None
    assert stage.state(repository) == IMAGE.content()


def test_tls_that_breaks_in_the_middle_of_every_request_is_no_success(
    stage: Stage,
    repository: str,
    authority: trustme.CA,
    ca_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    cut = Fault("GET *", Cut(10, CLOSE, UNTIL_CLOSE), None)
    tls = certificate(authority)
    with FaultyRegistry(stage.addresses[0], [cut], tls=tls, lock=Basic()) as source:
        result = copied(stage, repository, source)
    assert result.error is not None
    assert stage.state(repository) == OLD.content()
