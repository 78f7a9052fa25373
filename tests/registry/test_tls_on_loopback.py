"""Registries on this machine that speak TLS, and what they do when they hear plain http."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from regimport.errors import Unreachable
from regimport.registry.request import Request
from registry.conftest import IMPATIENT, Sessions
from support.peers import Line, Peer, peer

_GET = Request("GET", "app/thing")
_OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_ALERT = b"\x15\x03\x01\x00\x02\x02\x16"
_REFUSALS = {
    "closes": b"",
    "sends an alert": _ALERT,
    "complains": b"HTTP/1.0 400 Bad Request\r\n\r\nThis port speaks HTTPS.\n",
}


def _refusing(refusal: bytes, context: ssl.SSLContext, after: int = 0) -> Callable[[Line], None]:
    """Speak TLS with who begins with it, from connection `after` on, and refuse all others."""

    def treat(line: Line) -> None:
        begins = line.socket.recv(1, socket.MSG_PEEK)
        if line.number < after:
            return
        if begins != b"\x16":
            line.head()
            line.send(refusal)
            return
        encrypted = Line(line.number, context.wrap_socket(line.socket.dup(), server_side=True))
        while encrypted.head():
            encrypted.send(_OK)
        encrypted.close()

    return treat


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost", "registry.localhost").configure_cert(made)
    return made


def _port(server: Peer) -> str:
    return server.address.rpartition(":")[2]


@pytest.mark.parametrize("refusal", sorted(_REFUSALS))
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
def test_tls_is_spoken_where_plain_http_is_not(
    refusal: str,
    method: str,
    context: ssl.SSLContext,
    ca_file: Path,
    sessions: Sessions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    with peer(_refusing(_REFUSALS[refusal], context)) as server:
        session = sessions.open(server.address)
        assert session.ask(Request(method, "app/thing", body=b"")).ok
        assert session.ask(_GET).body == b"ok"
        assert sessions.told == []
        session.close()


def test_a_name_under_localhost_leads_to_this_machine(
    context: ssl.SSLContext, ca_file: Path, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    with peer(_refusing(b"", context)) as server:
        session = sessions.open(f"registry.localhost:{_port(server)}")
        assert session.ask(_GET).body == b"ok"
        session.close()


def test_a_certificate_that_is_not_trusted_is_what_is_told(
    context: ssl.SSLContext, sessions: Sessions
) -> None:
    with peer(_refusing(b"", context)) as server:
        with pytest.raises(Unreachable, match="certificate"):
            sessions.open(server.address).ask(_GET)


def test_a_registry_that_is_about_to_start_is_asked_with_tls_again(
    context: ssl.SSLContext, ca_file: Path, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    with peer(_refusing(b"", context, after=3)) as server:
        session = sessions.open(server.address)
        assert session.ask(_GET).body == b"ok"
        session.close()


def test_what_breaks_off_without_tls_stays_plain_http(sessions: Sessions) -> None:
    def treat(line: Line) -> None:
        if line.number < 2:
            return
        line.head()
        line.send(_OK)

    with peer(treat) as server:
        assert sessions.open(server.address).ask(_GET).body == b"ok"
        assert len(sessions.told) < IMPATIENT.attempts
