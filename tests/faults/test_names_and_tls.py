"""Registries whose name is unknown, or whose TLS is not to be trusted."""

from __future__ import annotations

import datetime as dt
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

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


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
    assert f"no host named {HOST}" in result.error.message
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


def certificate(authority: trustme.CA, *names: str, days: int = 90) -> ssl.SSLContext:
    now = dt.datetime.now(dt.UTC)
    issued = authority.issue_cert(
        *names,
        not_before=now - dt.timedelta(days=100),
        not_after=now + dt.timedelta(days=days),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    return context


@pytest.mark.parametrize("what", ["expired", "of another host", "of an unknown authority"])
def test_a_certificate_that_is_not_to_be_trusted_ends_it_at_once(
    stage: Stage,
    repository: str,
    authority: trustme.CA,
    ca_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    contexts = {
        "expired": lambda: certificate(authority, HOST, days=-1),
        "of another host": lambda: certificate(authority, "other.test"),
        "of an unknown authority": lambda: certificate(trustme.CA(), HOST),
    }
    with FaultyRegistry(stage.addresses[0], tls=contexts[what]()) as source:
        result = copied(stage, repository, source)
        assert source.log == source.turned_away == []
    assert isinstance(result.error, Unreachable)
    assert "certificate" in result.error.message
    assert HOST in result.error.message
    assert result.error.hint is not None
    assert "SSL_CERT_FILE" in result.error.hint
    assert not result.retries
    assert stage.state(repository) == OLD.content()


def test_plain_http_where_tls_is_expected_ends_it_at_once_with_the_option_to_give(
    stage: Stage, repository: str
) -> None:
    with FaultyRegistry(stage.addresses[0]) as source:
        result = copied(stage, repository, source)
        assert source.log == []
    assert isinstance(result.error, Unreachable)
    assert result.error.hint is not None
    assert f"--plain-http {HOST}" in result.error.hint
    assert not result.retries


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
    tls = certificate(authority, HOST)
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
    tls = certificate(authority, HOST)
    with FaultyRegistry(stage.addresses[0], [cut], tls=tls, lock=Basic()) as source:
        result = copied(stage, repository, source)
    assert result.error is not None
    assert stage.state(repository) == OLD.content()
