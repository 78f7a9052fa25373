"""What the program prints at its highest verbosity holds no secret."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from support.client import Client
from support.images import single
from support.program import Program
from support.registries import USER, DockerRegistry
from support.tokenserver import TokenServer

pytestmark = pytest.mark.docker_registry


def test_neither_password_nor_token_nor_upload_state_is_printed(
    program: Program,
    source: DockerRegistry,
    tokens: tuple[DockerRegistry, TokenServer],
    tls_process: DockerRegistry,
    ca_file: Path,
    repository: str,
) -> None:
    registry, server = tokens
    given: list[str] = []
    make = server.token

    def remembered(subject: str, scopes: list[str]) -> str:
        given.append(make(subject, scopes))
        return given[-1]

    server.token = remembered  # type: ignore[method-assign]
    Client(source.address).push(repository, single(), "1")
    environment = {
        "REGIMPORT_TARGET_USERNAME": USER[0],
        "REGIMPORT_TARGET_PASSWORD": USER[1],
        "SSL_CERT_FILE": str(ca_file),
    }
    said = ""
    for address in (registry.address, tls_process.address):
        ends = (f"{source.address}/{repository}:1", f"{address}/{repository}")
        ended = program("copy", "-vv", *ends, **environment)
        assert ended.code == 0, ended
        assert "PUT" in ended.err, "the requests are told at this verbosity"
        said += ended.out + ended.err
    assert given
    pair = base64.b64encode(":".join(USER).encode()).decode()
    for secret in (USER[1], pair, *given):
        assert secret not in said
    assert "_state=…" in said
    assert "_state=e" not in said
