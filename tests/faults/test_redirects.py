"""Redirects: followed where it is safe, and never with anything that proves who the user is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from faults.actions import Cut, Redirect
from faults.lies import descriptor, manifest, served
from faults.locks import Basic, Bearer, Lock, Open
from faults.proxy import ALWAYS, Fault, FaultyRegistry
from faults.table import (
    IMAGE,
    LAYER,
    OLD,
    OPTIONS,
    SIZE,
    Result,
    Row,
    Stage,
    run_copy,
    run_row,
    table,
)
from regimport.errors import AccessDenied, RegistryError
from support.images import digest_of

_PERSONAL = {"authorization", "cookie", "proxy-authorization"}


@contextmanager
def redirected(
    stage: Stage,
    repository: str,
    on: str,
    *,
    status: int = 307,
    lock: Lock | None = None,
    elsewhere: list[Fault] | None = None,
    side: str = "source",
) -> Iterator[tuple[FaultyRegistry, Result]]:
    """A copy in which one side sends all requests of a kind to another port of the same host."""
    stage.set_up(repository, IMAGE, OLD)
    upstream = stage.addresses[side == "target"]
    with FaultyRegistry(upstream, elsewhere or (), lock=lock or Open()) as other:
        faults = [Fault(on, Redirect(f"http://{other.address}", status), ALWAYS)]
        ends = (faults, ()) if side == "source" else ((), faults)
        with stage.between(*ends) as (source, target):
            yield other, run_copy(source, target, repository)
    for asked in (*other.log, *other.turned_away):
        assert not _PERSONAL & set(asked.headers), asked


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("on", ["GET blob", "GET manifest", "HEAD manifest"])
def test_a_redirect_to_another_port_is_followed_without_credentials(
    stage: Stage, repository: str, on: str, status: int
) -> None:
    with redirected(stage, repository, on, status=status) as (other, result):
        assert result.error is None
        assert other.count(on) == result.source.count(on)
    assert stage.state(repository) == IMAGE.content()


@pytest.mark.parametrize("lock", [Basic(), Bearer()])
def test_the_target_of_a_redirect_that_wants_credentials_gets_none(
    stage: Stage, repository: str, lock: Lock
) -> None:
    with redirected(stage, repository, "GET blob", lock=lock) as (other, result):
        assert isinstance(result.error, AccessDenied)
        assert other.log == []
        assert len(other.turned_away) == 1
    assert stage.state(repository) == OLD.content()


@pytest.mark.parametrize("on", ["PUT manifest", "PUT upload", "POST upload"])
def test_a_body_is_never_sent_where_a_redirect_leads(
    stage: Stage, repository: str, on: str
) -> None:
    with redirected(stage, repository, on, side="target") as (other, result):
        assert isinstance(result.error, RegistryError)
        assert "307" in result.error.message
        assert other.log == other.turned_away == []
    assert stage.state(repository) == OLD.content()


def test_a_download_that_breaks_behind_a_redirect_goes_on_from_the_registrys_own_url(
    stage: Stage, repository: str
) -> None:
    cut = [Fault("GET blob", Cut(400_000), path=LAYER)]
    with redirected(stage, repository, "GET blob", elsewhere=cut) as (other, result):
        assert result.error is None
        assert result.source.count("GET blob") == other.count("GET blob") == 3
        assert sum(asked.sent for asked in other.asked("GET blob")) < SIZE + 10_000


def test_a_loop_of_redirects_ends_soon(stage: Stage, repository: str) -> None:
    stage.set_up(repository, IMAGE, OLD)
    with FaultyRegistry(stage.addresses[0]) as other:
        with stage.between() as (source, target):
            source.faults.append(Fault("GET blob", Redirect(f"http://{other.address}"), ALWAYS))
            other.faults.append(Fault("GET blob", Redirect(f"http://{source.address}"), ALWAYS))
            result = run_copy(source, target, repository)
            assert isinstance(result.error, RegistryError)
            assert source.count("GET blob") + other.count("GET blob") <= 6
    assert stage.state(repository) == OLD.content()


@table(
    Row(
        title=f"to {place or 'nowhere'}"[:70],
        source=[Fault("GET blob", Redirect(place, whole=True), ALWAYS)],
        error=RegistryError,
        most={"source GET blob": 1},
        retries=False,
    )
    for place in (
        "",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "gopher://127.0.0.1/x",
        "javascript:alert(1)",
        "data:text/plain,x",
        "http://planted-user:planted-signature-1@127.0.0.1/x",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/x",
        "http://2130706433/x",
        "http://0x7f.1/x",
        "http://0.0.0.0/x",
        "http://100.100.100.200/x",
        "http://127.0.0.1:99999/x",
        "http://127.0.0.1:0/x",
        "http://exa mple/x",
        "http://a\x1b]0;b\x07/x",
    )
)
def test_a_redirect_that_no_registry_may_make(stage: Stage, row: Row, repository: str) -> None:
    result = run_row(stage, row, repository)
    assert result.error is not None
    assert "\x1b" not in result.error.message


def test_the_urls_of_a_foreign_layer_are_never_asked(stage: Stage, repository: str) -> None:
    stage.set_up(repository, IMAGE, None)
    config = b'{"foreign":1}'
    stage.source.push_blob(repository, digest_of(config), config)
    with FaultyRegistry(stage.addresses[0], lock=Basic()) as elsewhere:
        foreign = descriptor(
            mediaType="application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            digest=digest_of(b"somewhere else"),
            size=14,
            urls=[f"http://{elsewhere.address}/v2/x/blobs/{digest_of(b'somewhere else')}"],
        )
        document = manifest(foreign)
        document["config"] = descriptor(
            mediaType="application/vnd.oci.image.config.v1+json",
            digest=digest_of(config),
            size=len(config),
        )
        with stage.between(served(document)) as (source, target):
            result = run_copy(source, target, repository, OPTIONS)
            assert target.count("PUT upload") == 1
        assert elsewhere.log == elsewhere.turned_away == []
    assert result.error is None or "BLOB_UNKNOWN" in result.error.message
